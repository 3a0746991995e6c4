"""Pseudo labels on the disk: numbered versions, written whole, taken back when a training is resumed."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from procrop.io.atomic import atomic_write, write_json
from procrop.io.lock import FolderLock
from procrop.io.manifest import sha256_file

from .photo_labels import PhotoLabels
from .version_figures import version_figures

_FORMAT = 1
_TABLE = "versions.json"


class PseudoLabelError(ValueError):
    """A store that is absent, damaged, of another format, or without the version that is asked for."""


@dataclass(frozen=True)
class LabelVersion:
    """What is known of a version without reading its labels.

    Attributes:
        version: Number, from 1.
        epoch: Epochs trained when its labels were made.
        file: Its labels' file in the store, or "" when only these figures were kept.
        sha256: Of that file.
        figures: See :func:`~.version_figures.version_figures`.
        rejected: Reason -> number of predicted crops that curation left out for it.
    """

    version: int
    epoch: int
    file: str
    sha256: str
    figures: Mapping[str, float | int | None] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)


class PseudoLabelStore:
    """A folder of label versions: ``versions.json`` and a file ``v00001.jsonl`` per version, one line a photo.

    Boxes are in pixels of the whole photo. A version is written once, by one process, and complete or not there: what
    ``versions.json`` does not list does not exist. Version 0 has no labels. Equal labels give equal bytes.

    Args:
        folder: Of the store; made by the first :meth:`commit`.
        keep: Versions whose labels stay on the disk. Of older ones only the figures stay, so that the folder does not
            grow without bound; None keeps all.

    Raises:
        ValueError: ``keep`` is below 2, the number that a resume from the checkpoint before the last may need.
    """

    def __init__(self, folder: str | os.PathLike, keep: int | None = 50) -> None:
        if keep is not None and keep < 2:
            raise ValueError(f"a store of pseudo labels keeps at least 2 versions, got keep={keep}")
        self.folder, self.keep = Path(folder), keep

    def versions(self) -> list[LabelVersion]:
        """All versions, oldest first.

        Raises:
            PseudoLabelError: The table cannot be read or has another format.
        """
        path = self.folder / _TABLE
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            if table["format"] != _FORMAT:
                raise PseudoLabelError(f"{path}: format {table['format']}, but this program reads {_FORMAT}")
            return [LabelVersion(**row) for row in table["versions"]]
        except FileNotFoundError:
            return []
        except PseudoLabelError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PseudoLabelError(
                f"{path}: cannot be read ({error}); remove the folder {self.folder} and train stage 2 again"
            ) from error

    @property
    def latest(self) -> int:
        """Number of the newest version; 0 for none."""
        versions = self.versions()
        return versions[-1].version if versions else 0

    def entry(self, version: int) -> LabelVersion:
        """What is known of a version.

        Raises:
            PseudoLabelError: There is no such version.
        """
        versions = self.versions()
        for entry in versions:
            if entry.version == version:
                return entry
        known = f"versions 1 to {versions[-1].version}" if versions else "no version"
        raise PseudoLabelError(f"{self.folder}: holds {known}, not version {version}")

    def commit(
        self, photos: Iterable[PhotoLabels], epoch: int, rejected: Mapping[str, int] | None = None
    ) -> int:
        """Write the next version; to be called by one process.

        Args:
            photos: Labels of every photo that was looked at, also those with none; sorted here by id.
            epoch: Epochs trained so far.
            rejected: Reason -> number of crops left out.

        Returns:
            Its number.

        Raises:
            PseudoLabelError: An id comes twice, or the table cannot be read.
            OSError: It cannot be written; the store is as before.
        """
        photos = sorted(photos, key=lambda photo: photo.img_id)
        for before, after in zip(photos, photos[1:], strict=False):
            if before.img_id == after.img_id:
                raise PseudoLabelError(f"{self.folder}: labels of {after.img_id!r} given twice")
        self.folder.mkdir(parents=True, exist_ok=True)
        with FolderLock(self.folder / ".lock"):
            versions = self.versions()
            number = versions[-1].version + 1 if versions else 1
            name = f"v{number:05d}.jsonl"
            with atomic_write(self.folder / name, "w") as file:
                file.writelines(photo.line() for photo in photos)
            figures = version_figures(photos)
            entry = LabelVersion(
                number,
                int(epoch),
                name,
                sha256_file(self.folder / name),
                figures,
                {reason: int(count) for reason, count in sorted((rejected or {}).items())},
            )
            self._write([*versions, entry])
        return number

    def roll_back(self, version: int) -> list[int]:
        """Take back what was committed after a version; to be called by one process.

        Args:
            version: The newest version to stay; 0 takes back all.

        Returns:
            Numbers of the versions taken back.

        Raises:
            PseudoLabelError: There is no such version, or its labels are no longer kept.
        """
        versions = self.versions()
        gone = [entry for entry in versions if entry.version > version]
        if version:
            self._file(self.entry(version))
        if not gone:
            return []
        with FolderLock(self.folder / ".lock"):
            self._write([entry for entry in versions if entry.version <= version])
        return [entry.version for entry in gone]

    def read(self, version: int) -> dict[str, PhotoLabels]:
        """Labels of a version by photo; version 0 is empty.

        Raises:
            PseudoLabelError: There is no such version, its labels are no longer kept, or its file was changed.
        """
        if version == 0:
            return {}
        entry = self.entry(version)
        path = self._file(entry)
        if sha256_file(path) != entry.sha256:
            raise PseudoLabelError(
                f"{path}: its bytes have changed since it was written; go back to the version before it by resuming "
                "from an older checkpoint"
            )
        return {labels.img_id: labels for labels in _lines(path)}

    def history(self, img_id: str) -> list[tuple[LabelVersion, PhotoLabels]]:
        """Labels of one photo in all versions that are kept and looked at it, oldest first."""
        start = PhotoLabels.line_start(img_id)
        found = []
        for entry in self.versions():
            if entry.file:
                found += [(entry, labels) for labels in _lines(self._file(entry), start)]
        return found

    def _file(self, entry: LabelVersion) -> Path:
        if not entry.file:
            raise PseudoLabelError(
                f"{self.folder}: of version {entry.version} only the figures were kept; raise `keep`"
            )
        if not (self.folder / entry.file).is_file():
            raise PseudoLabelError(f"{self.folder / entry.file}: missing; restore it, or train stage 2 again")
        return self.folder / entry.file

    def _write(self, versions: list[LabelVersion]) -> None:
        """Write the table, then remove the files that it does not list."""
        if self.keep is not None:
            older, newer = versions[: -self.keep], versions[-self.keep :]
            versions = [LabelVersion(**asdict(entry) | {"file": ""}) for entry in older] + newer
        write_json(
            self.folder / _TABLE, {"format": _FORMAT, "versions": [asdict(entry) for entry in versions]}
        )
        listed = {entry.file for entry in versions}
        for path in self.folder.glob("v*.jsonl"):
            if path.name not in listed:
                path.unlink()


def _lines(path: Path, start: str = "") -> Iterator[PhotoLabels]:
    """Read the lines of a file that begin so."""
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            if not text.startswith(start):
                continue
            try:
                yield PhotoLabels.of_line(text)
            except (ValueError, KeyError, TypeError) as error:
                raise PseudoLabelError(f"{path}:{number}: cannot be read ({error!r})") from error

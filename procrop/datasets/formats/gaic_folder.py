"""Where the files of a GAICD split lie, and which ids the split has."""

import shlex
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from procrop.io import PHOTO_SUFFIXES

from ..errors import DatasetNotFoundError
from ..paths import link_fault
from ..problems import Problems
from ..splits import read_split
from .names import without_suffix

SOURCE = (
    "The download is linked from the GitHub page HuiZeng/Grid-Anchor-based-Image-Cropping-Pytorch; unpack\n"
    "it so that the folders above exist, or point data_root at it.\n"
    "Without the data, `make quickstart` runs the whole job on drawn photos; or step by step:\n"
    "`python tools/make_toy_dataset.py data/toy --images 600`, then as in docs/getting_started.md with\n"
    "configs/procrop_toy.py."
)
# the folder that the toy configs and the docs name
_TOY_SOURCE = "These photos are drawn by: python tools/make_toy_dataset.py {root} --images 600"


class GAICFolder:
    """One split of GAICD on the disk.

    Photos lie in ``images/{split}/<id>.jpg``, annotations in ``annotations/{split}/<id>.txt`` or
    ``annotations/<id>.txt``. The ids of a split are the lines of ``splits/{split}.txt`` if that file exists; else the
    photos of the split's folder and, when photos are not needed, the annotations of the split's folder.

    Version 1 was published without a validation split. Unless ``images/val`` has photos, ``splits/val.txt`` has to
    say which of the photos under ``train`` are ``val``; photos and annotations of ``val`` are looked for in its own
    folders, then in those of ``train``. In version 1 ``train`` never has a photo that ``splits/val.txt`` names:
    without ``splits/train.txt`` it is all the others of its folder, and an id in both files is an error.

    Args:
        root: The dataset's folder.
        split: "train", "val" or "test".
        version: "v1" or "v2".
        need_photos: Whether a missing photo is a problem; annotations can be read without.
        split_file: File of ids to use instead of ``splits/{split}.txt``, relative to ``root``, taken as it is.
    """

    def __init__(
        self, root: Path, split: str, version: str, need_photos: bool = False, split_file: str | None = None
    ) -> None:
        self.root, self.split, self.version = root, split, version
        self.need_photos, self.split_file = need_photos, split_file
        self.list = root / (split_file or f"splits/{split}.txt")

    def check(self) -> None:
        """See whether the folders and the split file are there, without reading them.

        Raises:
            DatasetNotFoundError: They are not.
        """
        photos = any(map(Path.is_dir, self._folders("images")))
        if not (self.root / "annotations").is_dir() or (self.need_photos and not photos):
            raise self.not_found("a folder is missing")
        if self.split_file and not self.list.is_file():
            raise self.not_found(f"the split file {self.list} is missing")
        if self._is_part_of_train and not self.list.is_file():
            raise self.not_found(
                f"nothing says which photos of {self.root / 'images/train'} are for validation"
            )
        if not self.need_photos and not self.has_ids():
            raise self.not_found(f"nothing says which annotations belong to {self.split!r}")

    def has_ids(self) -> bool:
        """Whether anything says which ids the split has."""
        return self.list.is_file() or bool(self._own)

    def ids(self, problems: Problems) -> Iterator[tuple[str, str]]:
        """Yield each id of the split with the place that names it."""
        held_out = set()
        if self.version == "v1" and self.split == "train" and not self.split_file:
            file = self.root / "splits/val.txt"
            if file.is_file():
                held_out = {img_id for _, img_id in read_split(file, Problems(), without_suffix)}
        if not self.list.is_file():
            for img_id in sorted(self._own.keys() - held_out):
                yield img_id, str(self._own[img_id])
            return
        for place, img_id in read_split(self.list, problems, without_suffix):
            if img_id in held_out:
                problems.add(f"{place} ({img_id!r})", "name listed in splits/val.txt too")
            else:
                yield img_id, place

    def photo(self, img_id: str, place: str, problems: Problems) -> str | None:
        """The photo's name relative to ``images``; where it is not needed and missing, the one it should have."""
        paths = self.photos.get(img_id, [])
        expected = f"{self.split}/{img_id}.jpg"
        if not paths and not self.need_photos:
            folder = next((f for f in self._folders("images") if f.is_dir()), self._folders("images")[0])
            return f"{folder.name}/{img_id}.jpg"
        path = self._pick(paths, f"images/{expected}", place, "photo", problems)
        return path and path.relative_to(self.root / "images").as_posix()

    def annotation(self, img_id: str, place: str, problems: Problems) -> Path | None:
        """The annotation file; the split's own folder comes before a flat one."""
        folders = [*self._folders("annotations"), self.root / "annotations"]
        files = [folder / f"{img_id}.txt" for folder in folders]
        files = [file for file in files if file.is_file()][:1]
        expected = f"annotations/{self.split}/{img_id}.txt or annotations/{img_id}.txt"
        return self._pick(files, expected, place, "annotation", problems)

    @cached_property
    def photos(self) -> dict[str, list[Path]]:
        """Photos by id, of the first folder that has them."""
        return photos_by_id([folder for folder in self._folders("images") if folder.is_dir()])

    def _folders(self, kind: str) -> list[Path]:
        """Where "images" or "annotations" of the split may lie, the likeliest first."""
        names = [self.split] + ["train"] * (self.version == "v1" and self.split == "val")
        return [self.root / kind / name for name in names]

    @cached_property
    def _own(self) -> dict[str, Path]:
        """A file of each id in the split's own folders."""
        own = photos_by_id([folder for folder in self._folders("images")[:1] if folder.is_dir()])
        found = {img_id: paths[0] for img_id, paths in own.items()}
        if not self.need_photos:
            files = self._folders("annotations")[0].glob("*.txt")
            found = {file.name.removesuffix(".txt"): file for file in files} | found
        return found

    @property
    def _is_part_of_train(self) -> bool:
        """Whether the split has no files of its own: they lie among those of train."""
        return self.version == "v1" and self.split == "val" and not self._own

    def _pick(
        self, paths: list[Path], expected: str, place: str, kind: str, problems: Problems
    ) -> Path | None:
        """The one usable path, or None and a problem."""
        if not paths:
            problems.add(f"{place} (expected {expected})", f"{kind} missing")
        elif len(paths) > 1:
            problems.add(paths[0], f"{kind} present twice, as {paths[1].suffix} too")
        elif fault := link_fault(paths[0], self.root):
            problems.add(paths[0], f"{kind} is a {fault}")
        else:
            return paths[0]
        return None

    def not_found(self, reason: str) -> DatasetNotFoundError:
        """The error that says which files are expected and where they come from."""
        root, split = str(self.root), self.split
        ids, own = "optional: one id per line", split
        if self._is_part_of_train:
            ids, own = "one id per line: the photos of images/train that are for validation", "train"
        text = (
            f"GAICD {self.version}, split {split!r}, was not found in {root!r}: {reason}.\n"
            "Expected files:\n"
            f"  {root}/images/{own}/<id>.jpg\n"
            f"  {root}/annotations/{own}/<id>.txt or {root}/annotations/<id>.txt\n"
            f"  {self.list} ({ids})\n"
        )
        if self._is_part_of_train and not self.split_file:
            folder = shlex.quote(root)
            text += (
                "Version 1 was published without a validation split, so you choose one, e.g. every 20th photo:\n"
                f"  mkdir -p {folder}/splits && ls {folder}/images/train | awk 'NR % 20 == 0' > "
                f"{folder}/splits/val.txt\n"
                "Training then leaves these photos out.\n"
            )
        return DatasetNotFoundError(
            text + (_TOY_SOURCE.format(root=root) if self.root.name == "toy" else SOURCE)
        )


def photos_by_id(folders: list[Path]) -> dict[str, list[Path]]:
    """Photos of the first folder that has them, by file name without suffix."""
    photos: dict[str, list[Path]] = {}
    for folder in folders:
        found: dict[str, list[Path]] = {}
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in PHOTO_SUFFIXES:
                found.setdefault(without_suffix(path.name), []).append(path)
        photos = {**found, **photos}
    return photos

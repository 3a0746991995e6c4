"""What a build knows of each photo, and what it knows before it begins."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from procrop.io.atomic import write_text
from procrop.io.manifest import MANIFEST_NAME, ManifestError, manifest_kind, read_manifest, sha256_file

from .captions import Caption, caption_line, read_captions
from .text_format import (
    BUILD,
    CAPTIONS_FILE,
    DRAFTS,
    INDEX_FILE,
    KIND,
    LOCK_FILE,
    PARTS,
    REJECTED_FILE,
    TOKENS,
    VERSION,
    TextPhoto,
    TextTableError,
    hash_caption,
)


@dataclass
class PlannedPhoto:
    """A photo and what is known of it so far.

    Attributes:
        photo: Its name and file.
        caption: What is written about it; None until it is generated.
        reason: Why it cannot have tokens.
        sha256: Hex SHA-256 of its file; None when it cannot be read or does not count.
        stamp: Size and time of change of the file when it was hashed.
        drafted: Whether caption or reason come from the caption model, and not from a file of captions.
    """

    photo: TextPhoto
    caption: Caption | None = None
    reason: str | None = None
    sha256: str | None = None
    stamp: tuple[int, int] | None = None
    drafted: bool = False

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be found out before its tokens are made."""
        return self.caption is not None or self.reason is not None

    @property
    def caption_hash(self) -> str | None:
        """Hash of the caption, if there is one."""
        return None if self.caption is None else hash_caption(self.caption.text)

    def hash_file(self) -> None:
        """Fill in what the photo's file holds."""
        self.stamp = self.current_stamp()
        try:
            self.sha256 = sha256_file(self.photo.path)
        except OSError:
            self.sha256 = None

    def current_stamp(self) -> tuple[int, int] | None:
        """Size and time of change of the file as it is now; None when there is none."""
        try:
            status = os.stat(self.photo.path)
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns


def distinct_photos(photos: Iterable[TextPhoto]) -> list[TextPhoto]:
    """The photos without repeats, in their order.

    Raises:
        TextTableError: There is none, or one name is used for two photos.
    """
    found: dict[str, TextPhoto] = {}
    for photo in photos:
        before = found.setdefault(photo.id, photo)
        if os.path.abspath(before.path) != os.path.abspath(photo.path):
            raise TextTableError(
                f"{photo.id!r} names two photos, {before.path} and {photo.path}; give each dataset its own text folder"
            )
    if not found:
        raise TextTableError("no photo to write text for: the datasets are empty")
    return list(found.values())


def prepare_folder(folder: Path) -> None:
    """Make the folder; refuse one that is used for something else.

    Raises:
        TextTableError: It holds other files, or cannot be made.
    """
    own = {CAPTIONS_FILE, INDEX_FILE, REJECTED_FILE, TOKENS, DRAFTS, PARTS, MANIFEST_NAME}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise TextTableError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    foreign = [name for name in names if name not in own and not name.startswith((".", LOCK_FILE))]
    if (kind := manifest_kind(folder)) not in (None, KIND):
        raise TextTableError(f"{folder}: holds a {kind}; choose another folder for the text")
    if foreign:
        raise TextTableError(f"{folder}: holds other files ({foreign[0]}); choose a new or empty folder")


def previous_manifest(folder: Path) -> dict | None:
    """The manifest that the last finished build wrote; None when there is none that can be used."""
    try:
        return read_manifest(folder, KIND, VERSION)
    except ManifestError:
        return None


def captions_in(folder: Path) -> dict[str, Caption]:
    """The captions of a text folder; none before the first build."""
    try:
        return read_captions(folder / CAPTIONS_FILE)
    except FileNotFoundError:
        return {}


def put_given(folder: Path, given: Mapping[str, Caption], photos: Iterable[TextPhoto]) -> None:
    """Write a user's captions into ``captions.jsonl``, in place of those that are there.

    Raises:
        TextTableError: None of them is that of a photo.
    """
    ids = [photo.id for photo in photos]
    known = {img_id: given[img_id] for img_id in ids if img_id in given}
    if not known:
        raise TextTableError(
            f"none of the {len(given)} captions given is that of a photo: their ids are like {next(iter(given))!r}, "
            f"those of photos like {ids[0]!r}"
        )
    before = captions_in(folder)
    after = {**before, **known}
    # of several processes the first writes, and the others find it done
    if {img_id: caption[:2] for img_id, caption in before.items()} != {k: v[:2] for k, v in after.items()}:
        write_text(folder / CAPTIONS_FILE, captions_text(in_order(after, ids)))


def in_order(captions: Mapping[str, Caption], ids: Iterable[str]) -> dict[str, Caption]:
    """Captions in the order of the dataset; those of other photos stay at the end."""
    first = {img_id: captions[img_id] for img_id in ids if img_id in captions}
    return {**first, **captions}


def captions_text(captions: Mapping[str, Caption]) -> str:
    """Text of ``captions.jsonl``."""
    return "".join(caption_line(img_id, caption) for img_id, caption in captions.items())


def check_makers(folder: Path, found: set[str], fingerprint: str, rebuild: bool) -> None:
    """Refuse to go on with another encoder than before, unless that is wanted.

    Args:
        folder: The text folder, for the message.
        found: Fingerprints of the encoders of what is there.
        fingerprint: That of the encoder of this build.
        rebuild: Whether tokens of another encoder may be replaced.

    Raises:
        TextTableError: The encoder is another one.
    """
    others = sorted(found - {fingerprint})
    if others and not rebuild:
        raise TextTableError(
            f"{folder}: its tokens were made by another encoder (fingerprint {others[0][:12]}, now "
            f"{fingerprint[:12]}); restore it, or make all tokens anew and keep the captions: {BUILD} --rebuild"
        )

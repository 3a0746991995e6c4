"""The folder that a generation writes to: what may be in it, who may write, what a killed run leaves behind."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from procrop.io.lock import is_locked
from procrop.io.manifest import MANIFEST_NAME
from procrop.io.writing import writing_to

from .errors import GenerationError
from .item_records import ANNOTATIONS, IMAGES

KIND, VERSION = "CAD dataset", 1
REJECTED, ANALYSES = "rejected.jsonl", "analyses.jsonl"
CARD, ATTRIBUTION, STATISTICS = "datacard.md", "attribution.tsv", "stats"
_OWN = {IMAGES, "work", ANNOTATIONS, REJECTED, ANALYSES, CARD, ATTRIBUTION, STATISTICS, MANIFEST_NAME}
_LOCKS = "work/locks"
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")


def prepare_folder(root: Path, photo_roots: Sequence[Path]) -> None:
    """Make the folder; refuse one that is used for something else or lies among the source photos.

    Raises:
        GenerationError: It cannot be used; the message says why.
    """
    if root.exists() and not root.is_dir():
        raise GenerationError(f"{root}: is a file; name a folder for the dataset")
    resolved = root.resolve()
    for photos in photo_roots:
        if resolved.is_relative_to(photos.resolve()):
            raise GenerationError(
                f"{root}: lies in the folder of the source photos {photos}, where its own photos would become sources; "
                f"choose another folder"
            )
    if root.is_dir() and not (root / "work").is_dir():
        foreign = sorted(p.name for p in root.iterdir() if p.name not in _OWN and not p.name.startswith("."))
        if foreign:
            raise GenerationError(f"{root}: holds other files ({foreign[0]}); choose a new or empty folder")
    try:
        (root / _LOCKS).mkdir(parents=True, exist_ok=True)
        (root / IMAGES).mkdir(exist_ok=True)
    except OSError as error:
        raise GenerationError(
            f"{root}: cannot be written ({error.strerror}); choose another folder"
        ) from error


@contextmanager
def writing_part(root: Path, part: int = 0, parts: int = 1) -> Iterator[None]:
    """Be the one process that writes a part of the dataset.

    Several processes may write at a time when they are different parts of one division.

    Args:
        root: The dataset's folder.
        part: Which part this process makes, from 0.
        parts: How many parts there are.

    Raises:
        GenerationError: Another process writes there.
        OSError: The disk is full, or failed; the message says how to go on.
    """
    name = f"{_LOCKS}/{part}-of-{parts}.lock"
    with writing_to(root, name, GenerationError):
        _check_others(root / name)
        yield


def _check_others(own: Path) -> None:
    """Refuse to write beside a process that divides the work in another way."""
    division = own.name.partition("-of-")[2]
    for path in own.parent.glob("*-of-*.lock"):
        if path.name.partition("-of-")[2] != division and is_locked(path):
            raise GenerationError(
                f"{own.parents[2]}: another process is writing here as part {path.stem.replace('-of-', ' of ')}; wait "
                f"for it, or remove {path} if you are sure that it is gone"
            )


def remove_leftovers(root: Path) -> None:
    """Remove what killed processes left: half-written files, and locks whose holders are gone."""
    for folder in (root / IMAGES, root / "work"):
        for path in folder.rglob(".*.tmp"):
            if _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)
    for path in root.glob(".*.tmp"):
        path.unlink(missing_ok=True)
    for path in (root / _LOCKS).iterdir():
        if not is_locked(path):
            path.unlink(missing_ok=True)

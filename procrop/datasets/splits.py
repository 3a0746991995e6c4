"""Splits of a dataset: files that name their members, or a seeded choice; never an unseeded shuffle."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from procrop.io.atomic import write_many

from .formats.text import encoded, numbered_lines
from .problems import Problems
from .records import CropRecord


def seeded_split(names: Iterable[str], count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Choose ``count`` names by chance, the same ones everywhere.

    The names are ordered by the SHA-256 of ``"<seed>/<name>"`` (UTF-8), and the first are taken: the choice depends on
    neither their order nor the version of any library, and a name added later moves few others.

    Args:
        names: Distinct names.
        count: How many to choose.
        seed: Another seed gives another choice.

    Returns:
        The chosen names and the others, each sorted.
    """
    ranked = sorted(names, key=lambda name: (hashlib.sha256(encoded(f"{seed}/{name}")).digest(), name))
    return sorted(ranked[:count]), sorted(ranked[count:])


def read_split(
    file: Path, problems: Problems, clean: Callable[[str], str] = str
) -> Iterator[tuple[str, str]]:
    """Yield (place, name) for each line of a split file; blank lines are passed over.

    Names with folders and names listed twice go into ``problems``.

    Args:
        file: Text file with one name a line.
        problems: Takes what cannot be used.
        clean: Applied to a line before all else, e.g. to take a suffix off.

    Raises:
        AnnotationError: The file cannot be read.
    """
    seen = set()
    for number, line in numbered_lines(file):
        name = clean(line.strip())
        if not name:
            continue
        if name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
            problems.add(file, "name that leaves the dataset's folders", number)
        elif name in seen:
            problems.add(file, "name listed twice", number)
        else:
            seen.add(name)
            yield f"{file}:{number}", name


def write_splits(root: str | os.PathLike, members: Mapping[str, Sequence[str]]) -> None:
    """Write ``splits/<split>.txt`` below the root for each split, one name a line."""
    folder = Path(root, "splits")
    write_many(
        (folder / f"{split}.txt", encoded("".join(f"{name}\n" for name in names)))
        for split, names in members.items()
    )


def by_split(
    records: Iterable[CropRecord], split: str | None, known: Sequence[str]
) -> dict[str | None, list[CropRecord]]:
    """Sort records by the split they are to be written to.

    Args:
        records: The records.
        split: The split of all of them; None asks each for the one it was read from.
        known: The splits that the target format has.

    Returns:
        Split -> records; those that say none, or one that the format lacks, are under None.
    """
    groups: dict[str | None, list[CropRecord]] = {}
    for record in records:
        groups.setdefault(split or own_split(record, known), []).append(record)
    return groups


def own_split(record: CropRecord, known: Sequence[str]) -> str | None:
    """The split that a record was read from, if it is one of ``known``."""
    own = record.extra.get("split")
    return own if isinstance(own, str) and own in known else None

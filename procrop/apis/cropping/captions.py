"""Captions of a command line and of a file, given to the photos that they are for."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from procrop.apis.cropping.plan import CropJob


def put_captions(
    jobs: Sequence[CropJob], common: str | None, file: str | os.PathLike | None
) -> tuple[list[CropJob], list[str]]:
    """Give photos their captions.

    Args:
        jobs: the photos.
        common: caption of every photo that the file does not name.
        file: lines of JSON with ``id`` or ``path``, and ``caption``; or ``name<TAB>caption``. A photo is named by its
            place below the input folder, with its suffix or without, or by the path of its file.

    Returns:
        The photos with their captions, and the names in the file that are no photo's.

    Raises:
        ValueError: the file cannot be used, names none of the photos, or a name in it is not clear.
    """
    found: dict[CropJob, str] = {}
    unknown = []
    if file is not None:
        found, unknown = _of_file(jobs, file)
    return [replace(job, caption=found.get(job, common)) for job in jobs], unknown


def _of_file(jobs: Sequence[CropJob], file: str | os.PathLike) -> tuple[dict[CropJob, str], list[str]]:
    from procrop.datasets.text import read_given_captions

    captions = read_given_captions(file, paths=True)
    lookups = _lookup(_full_names(jobs)), _lookup(_short_names(jobs))
    found: dict[CropJob, str] = {}
    unknown = []
    for name, caption in captions.items():
        named = _named(name, *lookups)
        place = f"{file}: line {caption.line}: {name!r}"
        if len(named) > 1:
            shown = ", ".join(str(job.path) for job in named)
            raise ValueError(
                f"{place} names {len(named)} photos ({shown}); write the path of the one you mean"
            )
        if not named:
            unknown.append(name)
        elif named[0] in found:
            raise ValueError(
                f"{place} is {named[0].path}, which has a caption already; delete one of the lines"
            )
        else:
            found[named[0]] = caption.text
    if not found:
        raise ValueError(
            f"{file}: names none of the photos: {unknown[0]!r} is none of them; write names as they are below the "
            f"input folder, e.g. {jobs[0].name!r}"
        )
    return found, unknown


def _named(name: str, full: dict[str, list[CropJob]], short: dict[str, list[CropJob]]) -> list[CropJob]:
    """The photos of a name; one with its suffix comes before one without."""
    name = os.path.normpath(name)
    return full.get(name) or full.get(os.path.abspath(name)) or short.get(name) or []


def _full_names(jobs: Sequence[CropJob]) -> Iterator[tuple[str, CropJob]]:
    for job in jobs:
        yield job.name, job
        yield os.path.abspath(job.path), job


def _short_names(jobs: Sequence[CropJob]) -> Iterator[tuple[str, CropJob]]:
    for job in jobs:
        yield PurePosixPath(job.name).with_suffix("").as_posix(), job


def _lookup(names: Iterator[tuple[str, CropJob]]) -> dict[str, list[CropJob]]:
    found: dict[str, list[CropJob]] = {}
    for name, job in names:
        found.setdefault(name, []).append(job)
    return found

"""What an earlier run has left in the output folder, and what is still to be done."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from procrop.apis.cropping.csv_table import TABLE, header, rows_of
from procrop.apis.cropping.naming import stem_of
from procrop.apis.cropping.photo_files import FOLDERS
from procrop.apis.cropping.plan import CropJob, lies_in, shown
from procrop.apis.cropping.record import RECORD, PhotoRecord, fingerprint_of, read_record
from procrop.apis.cropping.run_settings import RUN_FILE, differences, read_run
from procrop.apis.cropping.sheet_rows import SHEET, sheet_pages

EXPLAINED_PAGE = "explained.html"
_OWN_FILES = (RECORD, TABLE, SHEET, EXPLAINED_PAGE)
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp", re.S)


@dataclass
class EarlierRun:
    """What the output folder holds.

    Attributes:
        records: the photos that are done.
        run: ``settings``, ``finished`` and ``photos``; None where there was no run.
        state: of the record's file when it was read.
    """

    records: list[PhotoRecord] = field(default_factory=list)
    run: dict[str, Any] | None = None
    state: str | None = None

    @property
    def stems(self) -> dict[str, str]:
        """Place -> stem of the photos that are done."""
        return {record.place: record.stem for record in self.records}

    @property
    def names_all(self) -> bool:
        """Whether the record names all that was written: a killed run may have left crops that it does not name."""
        return self.run is None or self.run["finished"] and self.run["photos"] == len(self.records)


@dataclass
class Remaining:
    """What a run begins with.

    Attributes:
        kept: photos that are done, in the order of the record.
        todo: the others.
        unchanged: so many kept photos, from the first, are in the place where they were.
        dropped: records of photos that must be done again.
    """

    kept: list[PhotoRecord]
    todo: list[CropJob]
    unchanged: int
    dropped: list[PhotoRecord] = field(default_factory=list)

    @property
    def new(self) -> list[CropJob]:
        """Those of ``todo`` that were never cropped."""
        again = {record.place for record in self.dropped}
        return [job for job in self.todo if job.place not in again]


def look_into(out: Path, on_exists: str, sets: int) -> EarlierRun:
    """Read what an earlier run has left.

    Args:
        out: the output folder.
        on_exists: ``--on-exists``; with "overwrite" nothing of an earlier run counts.
        sets: lines of each photo.

    Raises:
        ValueError: an earlier run was here and this must not be, or its files are damaged.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {shown(out)} is a file; name a folder")
    if on_exists == "overwrite":
        return EarlierRun(state=fingerprint_of(out / RECORD))
    run = read_run(out)
    if run is None:
        found = [name for name in _OWN_FILES if (out / name).exists()]
        if found:
            raise ValueError(
                f"{shown(out)} holds {found[0]} of another program or version; name another folder, or give "
                "--on-exists overwrite to replace it"
            )
        return EarlierRun()
    if on_exists == "fail":
        raise ValueError(
            f"{shown(out)} holds the crops of an earlier run; name another folder, or leave --on-exists fail out to go "
            "on with it"
        )
    state = fingerprint_of(out / RECORD)
    per_photo = len(run["settings"].get("ratio", ())) or sets
    return EarlierRun(read_record(out / RECORD, per_photo), run, state)


def check_settings(earlier: EarlierRun, settings: dict[str, Any], out: Path) -> None:
    """Raise a ValueError if the folder was written with other settings."""
    words = [] if earlier.run is None else differences(earlier.run["settings"], settings)
    if words:
        raise ValueError(
            f"{shown(out)} holds the crops of a run with other settings ({'; '.join(words)}); name another folder, or "
            "give --on-exists overwrite to replace them"
        )


def check_foreign(jobs: Sequence[CropJob], places: Iterable[str], written: Iterable[str], out: Path) -> None:
    """Raise a ValueError if photos that were never cropped would replace a file that is there already.

    Args:
        jobs: these photos.
        places: folders of the crop sets.
        written: those of ``FOLDERS`` that will be written to.
        out: the output folder.
    """
    there: dict[str, Path] = {}
    for folder in (out / name for name in written) if jobs else ():
        for path in folder.rglob("*"):
            stem = stem_of(path.relative_to(folder).as_posix())
            if stem is not None and path.is_file():
                there[stem] = path
    found = [there.get(f"{place}{job.stem}") for job in jobs for place in places] if there else []
    for path in filter(None, found):
        raise ValueError(
            f"{shown(path)} is there already and of no earlier run; name another folder, or give --on-exists overwrite "
            "to replace it"
        )


def what_remains(earlier: EarlierRun, jobs: Sequence[CropJob], out: Path) -> Remaining:
    """Tell what is done from what is not.

    A photo is done if the record holds it, for a file of the same size and time of change and the same caption, and all
    its files are there. Photos of the record that are not among the jobs stay as they are.
    """
    by_place = {job.place: job for job in jobs}
    kept, dropped, unchanged = [], [], None
    for record in earlier.records:
        job = by_place.get(record.place)
        if job is None or _is_done(record, job, out):
            kept.append(record)
            continue
        dropped.append(record)
        unchanged = len(kept) if unchanged is None else unchanged
    done = {record.place for record in kept}
    todo = [job for job in jobs if job.place not in done]
    return Remaining(kept, todo, len(kept) if unchanged is None else unchanged, dropped)


def _is_done(record: PhotoRecord, job: CropJob, out: Path) -> bool:
    if record.state != (fingerprint_of(job.path), job.caption):
        return False
    return all((out / name).is_file() for name in record.files)


def tidy(remaining: Remaining, out: Path) -> None:
    """Bring record and table to what is kept, and remove what a killed run left half done."""
    for record in remaining.dropped:
        _remove_files(record.files, out)
    for folder in (out, *(out / name for name in FOLDERS)):
        for path in folder.glob(".*.tmp") if folder == out else folder.rglob(".*.tmp"):
            if _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)
    _replace(out / RECORD, b"".join(record.text() for record in remaining.kept))
    _replace(out / TABLE, header() + b"".join(map(rows_of, remaining.kept)))


def _replace(path: Path, data: bytes) -> None:
    from procrop.io import write_bytes

    if not path.is_file() or path.read_bytes() != data:
        write_bytes(path, data)


def remove_old(out: Path) -> None:
    """Remove what an earlier run wrote, and nothing else: the files that its record names, the record, the sheet."""
    import json

    for line in _lines(out / RECORD):
        try:
            found = json.loads(line)
            names = [crop.get("file") for crop in found.get("crops", ())]
            names += found.get("pictures", {}).values()
        except (ValueError, AttributeError, TypeError):
            continue  # not a line of ours
        _remove_files([name for name in names if isinstance(name, str)], out)
    for path in (*sheet_pages(out), *(out / name for name in (TABLE, EXPLAINED_PAGE, RECORD, RUN_FILE))):
        path.unlink(missing_ok=True)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def _remove_files(names: Iterable[str], out: Path) -> None:
    for name in names:
        path = out / name
        if any(lies_in(path.parent, out / folder) for folder in FOLDERS):
            path.unlink(missing_ok=True)

"""Crop photo after photo: the next ones are read while one is cropped, and the last ones written."""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from procrop.apis.cropping.appended_file import AppendedFile
from procrop.apis.cropping.crop_sets import CropSet
from procrop.apis.cropping.csv_table import TABLE, rows_of
from procrop.apis.cropping.photo_files import AnsweredPhoto, PhotoFiles, WrittenPhoto
from procrop.apis.cropping.plan import CropJob
from procrop.apis.cropping.record import RECORD, PhotoRecord, fingerprint_of, title_of
from procrop.apis.cropping.recorded_result import result_of
from procrop.apis.cropping.resume import EXPLAINED_PAGE, Remaining, tidy
from procrop.apis.cropping.sheet_rows import SHEET, SheetRows, finished_pages, read_again
from procrop.apis.cropping.write_behind import WriteBehind

if TYPE_CHECKING:
    import numpy as np

    from procrop.inference.crop_inferencer import CropInferencer
    from procrop.inference.crop_result import CropResult
    from procrop.io import PhotoError

_READ_AHEAD = 2  # photos that are decoded before they are needed
_MOST_WRITERS = 4


@dataclass(frozen=True)
class RunOutput:
    """What a run leaves.

    Attributes:
        records: all photos of the record, in its order.
        pages: the pages of the contact sheet.
    """

    records: list[PhotoRecord]
    pages: list[Path]


def run_jobs(
    inferencer: "CropInferencer",
    remaining: Remaining,
    sets: Sequence[CropSet],
    args: argparse.Namespace,
    out: Path,
) -> RunOutput:
    """Crop what remains into ``out``.

    ``crops.jsonl`` and ``crops.csv`` grow photo by photo, in the order of the input, and only when the photo's files
    are on the disk: whenever this ends, the next run goes on from there.

    Args:
        inferencer: the cropper.
        remaining: what is done and what is not.
        sets: the crop sets.
        args: the options on what is written.
        out: the output folder.
    """
    from procrop.io import progress

    tidy(remaining, out)
    records, note = list(remaining.kept), _why_no_attention(inferencer) if args.explain else ""
    with ExitStack() as stack:
        sheet = _sheet(inferencer, remaining, sets, args, out)
        if sheet is not None:
            stack.enter_context(sheet.sheet)
        record_file, table = (stack.enter_context(AppendedFile(out / name)) for name in (RECORD, TABLE))

        def commit(written: WrittenPhoto) -> None:
            record_file.append(written.record.text())
            table.append(rows_of(written.record))
            records.append(written.record)
            for row in written.rows:
                sheet.sheet.add_row(row)

        files = PhotoFiles(out, sets, args, sheet, note)
        workers = min(_MOST_WRITERS, os.cpu_count() or 1)
        with WriteBehind(files.write, commit, workers) as behind:
            done = len(remaining.kept)
            answered = answer_jobs(inferencer, remaining.todo, sets, args.explain and not note)
            for photo in progress(answered, done + len(remaining.todo), "crop", done):
                behind.put(photo)
    if args.explain:
        _write_explanations(records, out, note)
    return RunOutput(records, [] if sheet is None else sheet.sheet.pages)


def answer_jobs(
    inferencer: "CropInferencer", jobs: Sequence[CropJob], sets: Sequence[CropSet], attention: bool = False
) -> Iterator[AnsweredPhoto]:
    """Embed each photo once and answer all sets from it, in order; the next photos are read meanwhile."""
    from procrop.inference.crop_result import CropResult
    from procrop.inference.look_ahead import look_ahead
    from procrop.inference.seen_photo import PhotoRejected

    for job, fingerprint, photo, fault in look_ahead(jobs, _read, _READ_AHEAD):
        if photo is None:
            rejected = CropResult(os.fspath(job.path), rejected=fault.reason)
            yield AnsweredPhoto(job, fingerprint, [rejected] * len(sets), fault=fault)
            continue
        try:
            embedding = inferencer.embed(photo, job.path, job.caption)
        except PhotoRejected as rejection:
            yield AnsweredPhoto(job, fingerprint, [rejection.result()] * len(sets), photo)
            continue
        requests = [replace(one.request, caption=job.caption) for one in sets]
        results = [inferencer.answer(embedding, request, attention) for request in requests]
        yield AnsweredPhoto(job, fingerprint, results, photo)


def _read(job: CropJob) -> tuple[CropJob, str | None, "np.ndarray | None", "PhotoError | None"]:
    from procrop.io import PhotoError, read_photo

    fingerprint = fingerprint_of(job.path)
    try:
        return job, fingerprint, read_photo(job.path), None
    except PhotoError as error:
        return job, fingerprint, None, error


def _sheet(
    inferencer: "CropInferencer",
    remaining: Remaining,
    sets: Sequence[CropSet],
    args: argparse.Namespace,
    out: Path,
) -> SheetRows | None:
    """The contact sheet, with the rows of earlier runs."""
    if not args.sheet:
        return None
    from procrop.visualization import ContactSheet

    sheet = ContactSheet(out / SHEET, sets[0].request.top_k, inferencer.references is not None)
    sheet.pages += finished_pages(out, remaining.kept, remaining.unchanged, sheet.rows_per_page)
    rows = SheetRows(sheet, inferencer.text is not None)
    drawn = len(sheet.pages) * sheet.rows_per_page
    rows.draw_again(remaining.kept, drawn)
    return rows


def _why_no_attention(inferencer: "CropInferencer") -> str:
    from procrop.inference import why_no_attention

    reason = why_no_attention(inferencer.model)
    return f"no attention is shown: {reason}" if reason else ""


def _write_explanations(records: Sequence[PhotoRecord], out: Path, note: str) -> None:
    """The report on all photos, which are read again, one at a time."""
    from procrop.visualization import write_explanation_page

    def results() -> Iterator["CropResult"]:
        for record in records:
            photo = read_again(record.path)
            for line in record.lines:
                if photo is None and "rejected" not in line:
                    line = {**line, "rejected": "the photo cannot be read any more"}
                yield result_of(line, photo)

    names = [title_of(line) for record in records for line in record.lines]
    write_explanation_page(results(), out / EXPLAINED_PAGE, note=note, names=names)

"""``procrop crop``: crops of photos and folders, with a record of each photo and a contact sheet."""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from procrop.apis.crop_inferencer import CropInferencer
    from procrop.apis.crop_result import CropResult

NAME = "crop"
HELP = "Crop photos: writes the crops, crops.jsonl with a line per photo, and the contact sheet sheet.png."

_MAX_STEM = 180  # bytes; leaves room for rank and suffix within the usual limit of 255


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("inputs", nargs="+", metavar="PHOTO_OR_FOLDER", help="photos, or folders of photos")
    parser.add_argument("--checkpoint", required=True, metavar="FILE", help="a trained checkpoint (.pth)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for everything that is written")
    parser.add_argument("--top-k", type=int, default=3, metavar="N", help="crops per photo (default: 3)")
    parser.add_argument(
        "--gallery", metavar="DIR", help="gallery of references (default: that of the training)"
    )
    parser.add_argument("--k", type=int, metavar="K", help="references per photo (default: as in training)")
    parser.add_argument(
        "--query-encoder",
        metavar="FILE",
        help="search the gallery with this distilled encoder (tools/distill_keys.py) instead of its own",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the crops of an earlier run in the same folder"
    )
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="module of your own components, to be imported first; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    """Crop the photos; exit code 0, or 1 if some were rejected.

    Raises:
        ValueError: arguments that cannot be carried out.
    """
    out = Path(args.out)
    _check_out(out, [Path(name) for name in args.inputs], args.overwrite)
    jobs = plan_jobs(args.inputs, out)
    import importlib

    for module in args.modules:
        importlib.import_module(module)
    from procrop.apis.crop_inferencer import CropInferencer

    inferencer = CropInferencer(args.checkpoint, args.gallery, args.device, args.k, args.query_encoder)
    inferencer.check_top_k(args.top_k)
    if args.overwrite:
        _remove_old(out)
    rejected, pages = write_crops(inferencer, jobs, out, args.top_k)
    for path, reason in rejected:
        print(f"rejected: {_shown(path)}: {reason}", file=sys.stderr)
    print(
        f"{len(jobs) - len(rejected)} of {len(jobs)} photos cropped"
        + (f", {len(rejected)} rejected" if rejected else "")
        + f": {_shown(out / 'crops.jsonl')}, {', '.join(_shown(page) for page in pages)}"
    )
    return 1 if rejected else 0


@dataclass(frozen=True)
class CropJob:
    """A photo to crop.

    Attributes:
        path: its file.
        stem: where its crops go: ``crops/<stem>_<rank>.jpg``; unique among all jobs, also in upper and lower case.
    """

    path: Path
    stem: str


def plan_jobs(inputs: Sequence[str | os.PathLike], out: Path) -> list[CropJob]:
    """List the photos of files and folders, each once, with names for their crops that never collide.

    A folder's tree is mirrored below ``out/crops``. Photos in ``out`` are no input when ``out`` lies in the folder.
    A named file is taken whatever its suffix, even if it is missing: it will be rejected when it is read.

    Raises:
        PhotoError: a folder holds no photo.
    """
    from procrop.io import list_photos

    taken: set[str] = set()
    seen: set[str] = set()
    jobs = []
    for name in inputs:
        root = Path(name)
        around = not _lies_in(root, out)  # else its photos were put there on purpose
        found = [(path, path.relative_to(root)) for path in list_photos(root)] if root.is_dir() else []
        for path, relative in found or [(root, Path(root.name))]:
            real = os.path.abspath(path)
            if real in seen or (found and around and _lies_in(path, out)):
                continue
            seen.add(real)
            jobs.append(CropJob(path, _free_stem(relative, taken)))
    if not jobs:
        raise ValueError(f"all photos of the input lie in {out}, the folder for the crops; nothing is left")
    return jobs


def write_crops(
    inferencer: "CropInferencer", jobs: Sequence[CropJob], out: Path, top_k: int
) -> tuple[list[tuple[str, str]], list[Path]]:
    """Crop every photo into ``out``.

    ``crops.jsonl`` grows line by line under the name ``crops.jsonl.part`` and gets its own name at the end, so an
    interrupted run loses nothing and a finished file is a whole one.

    Args:
        inferencer: the cropper.
        jobs: the photos.
        out: the folder.
        top_k: crops per photo.

    Returns:
        The rejected photos as (path, reason), and the pages of the sheet.
    """
    from procrop.io import progress
    from procrop.visualization import ContactSheet

    out.mkdir(parents=True, exist_ok=True)
    part, rejected = out / "crops.jsonl.part", []
    with (
        open(part, "w", encoding="ascii") as records,
        ContactSheet(out / "sheet.png", top_k, inferencer.references is not None) as sheet,
    ):
        for job in progress(jobs, len(jobs), "crop"):
            result, photo = _crop(inferencer, job, top_k)
            record = result.to_dict()
            if result.rejected is not None:
                rejected.append((result.path, result.rejected))
            else:
                _save_crops(photo, job, record, out)
            _append(records, record)
            sheet.add(_sheet_row(result, photo, job))
        os.fsync(records.fileno())
    os.replace(part, out / "crops.jsonl")
    return rejected, sheet.pages


def _crop(inferencer: "CropInferencer", job: CropJob, top_k: int) -> "tuple[CropResult, np.ndarray | None]":
    from procrop.apis.crop_result import CropResult
    from procrop.io import PhotoError, read_photo

    try:
        photo = read_photo(job.path)
    except PhotoError as error:
        return CropResult(os.fspath(job.path), rejected=error.reason), None
    return inferencer.crop(photo, job.path, top_k), photo


def _save_crops(photo: "np.ndarray", job: CropJob, record: dict[str, Any], out: Path) -> None:
    """Write the crops as JPEG and name the files in the record."""
    from PIL import Image

    from procrop.io import atomic_write
    from procrop.visualization import cut_crop

    for rank, crop in enumerate(record["crops"], start=1):
        name = f"crops/{job.stem}_{rank}.jpg"
        with atomic_write(out / name) as file:
            Image.fromarray(cut_crop(photo, crop["box"])).save(file, "JPEG", quality=95, subsampling=0)
        crop["file"] = name


def _append(records: IO[str], record: dict[str, Any]) -> None:
    records.write(json.dumps(record, allow_nan=False) + "\n")
    records.flush()


def _sheet_row(result: "CropResult", photo: "np.ndarray | None", job: CropJob) -> Any:  # noqa: ANN401
    from procrop.visualization import SheetRow

    title = job.stem if "/" in job.stem else job.path.name
    if result.rejected is not None:
        return SheetRow(title, note=result.rejected)
    references = [(_thumbnail(ref.path), ref.score) for ref in result.references[:6]]
    return SheetRow(title, photo, result.boxes, result.scores, references)


def _thumbnail(path: str | None) -> "np.ndarray | None":
    from procrop.io import PhotoError, read_photo

    try:
        return None if path is None else read_photo(path)
    except PhotoError:  # deleted since the gallery was built: its features are still there
        return None


def _check_out(out: Path, inputs: Sequence[Path], overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {_shown(out)} is a file; name a folder")
    crops = out / "crops"
    for path in inputs:
        folder = path if path.is_dir() else path.parent
        if path.is_dir() and _same(folder, out):
            raise ValueError(f"--out {_shown(out)} is the input folder too; name another folder")
        if _lies_in(folder, crops):
            raise ValueError(
                f"{_shown(path)} lies where --out {_shown(out)} writes its crops; name another folder"
            )
    if (out / "crops.jsonl").exists() and not overwrite:
        raise ValueError(
            f"{_shown(out)} holds the crops of an earlier run; name another folder, or give --overwrite to replace them"
        )


def _remove_old(out: Path) -> None:
    """Remove what an earlier run wrote, and nothing else: the crops its record names, the record and the sheet."""
    record = out / "crops.jsonl"
    if record.is_file():
        for name in _recorded_files(record):
            path = out / name
            if _lies_in(path.parent, out / "crops"):
                path.unlink(missing_ok=True)
        record.unlink()
    for path in out.glob("sheet*.png"):
        if re.fullmatch(r"sheet(_\d+)?\.png", path.name):
            path.unlink()


def _recorded_files(record: Path) -> Iterator[str]:
    for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            crops = json.loads(line).get("crops", [])
            yield from [crop["file"] for crop in crops if isinstance(crop.get("file"), str)]
        except (ValueError, AttributeError, TypeError, KeyError):
            continue  # not a line of ours


def _free_stem(relative: Path, taken: set[str]) -> str:
    """Take the photo's own name without suffix; where that is gone, with suffix, then numbered."""
    folder = relative.parent.as_posix()
    prefix = "" if folder == "." else f"{folder}/"
    candidates = [relative.stem, relative.name]
    for name in candidates:
        stem = prefix + _short(name)
        if stem.casefold() not in taken:
            break
    else:
        number = 2
        while f"{prefix}{_short(relative.name)}~{number}".casefold() in taken:
            number += 1
        stem = f"{prefix}{_short(relative.name)}~{number}"
    taken.add(stem.casefold())
    return stem


def _short(name: str) -> str:
    """Cut a name that would be too long with rank and suffix; whole characters stay whole."""
    raw = os.fsencode(name)
    return name if len(raw) <= _MAX_STEM else raw[:_MAX_STEM].decode("utf-8", "ignore")


def _same(a: Path, b: Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b)


def _lies_in(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _shown(path: str | os.PathLike) -> str:
    """A path that any terminal can print."""
    return os.fsencode(path).decode("utf-8", "replace").replace("\n", "?")

"""``procrop crop``: crops of photos and folders, with a record of each photo and a contact sheet."""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from procrop.apis.crop_jobs import CropJob, lies_in, plan_jobs
from procrop.apis.job_captions import put_captions
from procrop.apis.own_modules import add_import_option, import_own_modules

if TYPE_CHECKING:
    import numpy as np

    from procrop.inference.crop_inferencer import CropInferencer
    from procrop.inference.crop_result import CropResult

NAME = "crop"
HELP = "Crop photos: writes the crops, crops.jsonl with a line per photo, and the contact sheet sheet.png."


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
    parser.add_argument(
        "--caption",
        metavar="TEXT",
        help='what the crops are to show, e.g. "the dog and the boat" (all photos)',
    )
    parser.add_argument(
        "--captions",
        metavar="FILE",
        help='captions of single photos: lines of {"id", "caption"} or {"path", "caption"}, or name<TAB>caption; '
        "names are those below the input folder; --caption is for the others",
    )
    parser.add_argument("--no-text", action="store_true", help="crop as if the model had no text branch")
    parser.add_argument(
        "--text-encoder",
        metavar="CONFIG",
        help="config whose `text_encoder` says where the weights of the text encoder are (default: as in training)",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the crops of an earlier run in the same folder"
    )
    add_import_option(parser, "module of your own components, to be imported first; may be repeated")


def run(args: argparse.Namespace) -> int:
    """Crop the photos; exit code 0, or 1 if some were rejected.

    Raises:
        ValueError: arguments that cannot be carried out.
    """
    out = Path(args.out)
    _check_text_options(args)
    _check_out(out, [Path(name) for name in args.inputs], args.overwrite)
    jobs, unknown = put_captions(plan_jobs(args.inputs, out), args.caption, args.captions)
    import_own_modules(args)
    from procrop.apis.text_config import read_text_config
    from procrop.inference.crop_inferencer import CropInferencer

    inferencer = CropInferencer(
        args.checkpoint,
        args.gallery,
        args.device,
        args.k,
        args.query_encoder,
        text=False if args.no_text else None,
        text_encoder=None if args.text_encoder is None else read_text_config(args.text_encoder),
    )
    inferencer.check_top_k(args.top_k)
    inferencer.check_captions(job.caption for job in jobs)
    if args.overwrite:
        _remove_old(out)
    rejected, pages = write_crops(inferencer, jobs, out, args.top_k)
    for name in unknown:
        print(f"{_shown(args.captions)}: no photo {_shown(name)} in the input", file=sys.stderr)
    for path, reason in rejected:
        print(f"rejected: {_shown(path)}: {reason}", file=sys.stderr)
    print(
        f"{len(jobs) - len(rejected)} of {len(jobs)} photos cropped"
        + (f", {len(rejected)} rejected" if rejected else "")
        + f": {_shown(out / 'crops.jsonl')}, {', '.join(_shown(page) for page in pages)}"
    )
    return 1 if rejected else 0


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
            sheet.add(_sheet_row(result, photo, job, inferencer.text is not None))
        os.fsync(records.fileno())
    os.replace(part, out / "crops.jsonl")
    return rejected, sheet.pages


def _crop(inferencer: "CropInferencer", job: CropJob, top_k: int) -> "tuple[CropResult, np.ndarray | None]":
    from procrop.inference.crop_result import CropResult
    from procrop.io import PhotoError, read_photo

    try:
        photo = read_photo(job.path)
    except PhotoError as error:
        return CropResult(os.fspath(job.path), rejected=error.reason), None
    return inferencer.crop(photo, job.path, top_k, caption=job.caption), photo


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


def _sheet_row(result: "CropResult", photo: "np.ndarray | None", job: CropJob, text: bool) -> Any:  # noqa: ANN401
    from procrop.visualization import SheetRow

    title = job.stem if "/" in job.stem else job.path.name
    if result.rejected is not None:
        return SheetRow(title, note=result.rejected)
    references = [(_thumbnail(ref.path), ref.score) for ref in result.references[:6]]
    said = {}
    if text:
        said = dict(caption=result.caption or "", caption_source=result.caption_source or "")
    return SheetRow(title, photo, result.boxes, result.scores, references, **said)


def _thumbnail(path: str | None) -> "np.ndarray | None":
    from procrop.io import PhotoError, read_photo

    try:
        return None if path is None else read_photo(path)
    except PhotoError:  # deleted since the gallery was built: its features are still there
        return None


def _check_text_options(args: argparse.Namespace) -> None:
    if not args.no_text:
        return
    for option in ("caption", "captions", "text_encoder"):
        if getattr(args, option) is not None:
            name = option.replace("_", "-")
            raise ValueError(f"--no-text and --{name} contradict each other; leave one of them out")


def _check_out(out: Path, inputs: Sequence[Path], overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {_shown(out)} is a file; name a folder")
    crops = out / "crops"
    for path in inputs:
        folder = path if path.is_dir() else path.parent
        if path.is_dir() and _same(folder, out):
            raise ValueError(f"--out {_shown(out)} is the input folder too; name another folder")
        if lies_in(folder, crops):
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
            if lies_in(path.parent, out / "crops"):
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


def _same(a: Path, b: Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b)


def _shown(path: str | os.PathLike) -> str:
    """A path that any terminal can print."""
    return os.fsencode(path).decode("utf-8", "replace").replace("\n", "?")

"""``procrop crop``: crops of photos and folders, with a record of each photo and a contact sheet."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procrop.apis.cropping import options

if TYPE_CHECKING:
    from procrop.apis.cropping.crop_sets import CropSet
    from procrop.apis.cropping.plan import CropJob
    from procrop.apis.cropping.record import PhotoRecord
    from procrop.apis.cropping.resume import EarlierRun, Remaining
    from procrop.inference.crop_inferencer import CropInferencer

NAME = "crop"
HELP = "Crop photos: writes the crops, crops.jsonl and crops.csv with what is known of each, and a contact sheet."
LOCK = ".procrop-crop.lock"

add_arguments = options.add_arguments


def run(args: argparse.Namespace, inferencer: "CropInferencer | None" = None) -> int:
    """Crop the photos; exit code 0, or 1 if some were rejected.

    Args:
        args: the command line.
        inferencer: the cropper of these options, where a program that crops many folders has opened it already.

    Raises:
        ValueError: arguments that cannot be carried out.
        OSError: the disk is full, or failed.
    """
    from procrop.apis.cropping.captions import put_captions
    from procrop.apis.cropping.crop_sets import check_sets, crop_sets
    from procrop.apis.cropping.dry_run import list_outputs
    from procrop.apis.cropping.inputs import find_photos
    from procrop.apis.cropping.photo_files import written_folders
    from procrop.apis.cropping.plan import plan_jobs, shown
    from procrop.apis.cropping.resume import check_foreign, check_settings, look_into, what_remains
    from procrop.apis.cropping.run_settings import gallery_is_known, gallery_of, settings_of

    out = Path(args.out)
    sets = crop_sets(args)
    _complete(args)
    earlier = look_into(out, args.on_exists, len(sets))
    settings = settings_of(args, sets)
    check_settings(earlier, settings, out)
    jobs = plan_jobs(find_photos(args.inputs, args.lists), out, earlier.stems)
    jobs, unknown = put_captions(jobs, args.caption, args.captions)
    remaining = what_remains(earlier, jobs, out)
    if args.on_exists != "overwrite" and earlier.names_all:
        check_foreign(remaining.new, [one.folder for one in sets], written_folders(args), out)
    if args.dry_run:
        return list_outputs(remaining.todo, len(jobs) - len(remaining.todo), sets, args)
    done = earlier.run is not None and earlier.run["finished"] and not (remaining.todo or remaining.dropped)
    if done and gallery_is_known(earlier.run["settings"], settings):
        return _tell(out, jobs, earlier.records, len(jobs), [])
    inferencer = inferencer or _open_cropper(args)
    check_sets(inferencer, sets, [job.caption for job in jobs])
    settings |= gallery_of(inferencer)
    check_settings(earlier, settings, out)
    records, pages = _write(inferencer, earlier, remaining, sets, settings, args)
    for name in unknown:
        print(f"{shown(args.captions)}: no photo {shown(name)} in the input", file=sys.stderr)
    return _tell(out, jobs, records, len(jobs) - len(remaining.todo), pages)


def _complete(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other, and fill in what they leave to be found out."""
    if not args.out:
        raise ValueError("--out is empty; name a folder")
    if args.sheet is None:
        args.sheet = not args.no_crops
    clashes = [("no_text", name) for name in ("caption", "captions", "text_encoder")]
    clashes += [("lossless", name) for name in ("size", "quality")]
    for one, other in clashes:
        if getattr(args, one) and getattr(args, other) is not None:
            first, second = (f"--{name.replace('_', '-')}" for name in (one, other))
            raise ValueError(f"{first} and {second} contradict each other; leave one of them out")
    for name, formats in (("lossless", ("keep", "jpeg")), ("quality", ("keep", "jpeg", "webp"))):
        if getattr(args, name) and args.format not in formats:
            raise ValueError(f"--format {args.format} has no --{name}; leave one of them out")
    if not args.dry_run:  # last: a model may have to be fetched
        if args.lossless:
            _check_lossless()
        from procrop.inference.one_call import find_model

        args.checkpoint, args.gallery = find_model(args.checkpoint, args.gallery)


def _check_lossless() -> None:
    try:
        import jpeglib  # noqa: F401 (only whether it is there)
    except ImportError as error:
        raise ImportError("--lossless needs jpeglib: pip install 'procrop[lossless]'") from error


def _open_cropper(args: argparse.Namespace) -> "CropInferencer":
    from procrop.apis.own_modules import import_own_modules

    import_own_modules(args)
    from procrop.apis.text_config import read_text_config
    from procrop.inference.crop_inferencer import CropInferencer

    return CropInferencer(
        args.checkpoint,
        args.gallery,
        args.device,
        args.k,
        args.query_encoder,
        text=False if args.no_text else None,
        text_encoder=None if args.text_encoder is None else read_text_config(args.text_encoder),
    )


def _write(
    inferencer: "CropInferencer",
    earlier: "EarlierRun",
    remaining: "Remaining",
    sets: "Sequence[CropSet]",
    settings: dict[str, Any],
    args: argparse.Namespace,
) -> "tuple[list[PhotoRecord], list[Path]]":
    """Crop what remains, alone in the folder."""
    from procrop.apis.cropping.plan import shown
    from procrop.apis.cropping.record import RECORD, fingerprint_of
    from procrop.apis.cropping.resume import remove_old
    from procrop.apis.cropping.run_jobs import run_jobs
    from procrop.apis.cropping.run_settings import write_run
    from procrop.io.writing import writing_to

    out = Path(args.out)
    with writing_to(out, LOCK, ValueError, "command"):
        if fingerprint_of(out / RECORD) != earlier.state:
            raise ValueError(f"{shown(out)}: another run has just written here; start again")
        if args.on_exists == "overwrite":
            remove_old(out)
        write_run(out, settings, False, {})
        output = run_jobs(inferencer, remaining, sets, args, out)
        rejected = sum(bool(record.rejections) for record in output.records)
        write_run(out, settings, True, dict(photos=len(output.records), rejected=rejected))
    return output.records, output.pages


def _tell(
    out: Path,
    jobs: "Sequence[CropJob]",
    records: "Sequence[PhotoRecord]",
    earlier: int,
    pages: Sequence[Path],
) -> int:
    """Say what has come of the photos of this run; returns the exit code."""
    from procrop.apis.cropping.plan import shown
    from procrop.apis.cropping.record import RECORD

    by_place = {record.place: record for record in records}
    rejected = [record for record in (by_place[job.place] for job in jobs) if record.rejections]
    for record in rejected:
        print(f"rejected: {shown(record.path)}: {'; '.join(record.rejections)}", file=sys.stderr)
    print(
        f"{len(jobs) - len(rejected)} of {len(jobs)} photos cropped"
        + (f", {len(rejected)} rejected" if rejected else "")
        + (f", {earlier} of them in an earlier run" if earlier else "")
        + f": {', '.join(map(shown, [out / RECORD, *pages[:1]]))}"
        + (f" ({len(pages)} pages)" if len(pages) > 1 else "")
    )
    return 1 if rejected else 0

"""How fast a cropper is beside the package smartcrop: seconds a photo from the file to crops, in one run.

    python tools/benchmarks/beside_smartcrop.py PHOTOS [--checkpoint FILE --gallery FOLDER] [--threads 2]

Every side crops the whole folder once a round, in turn, after a round that does not count, and writes nothing. "crop"
is CropInferencer.crop: a file in, three crops out, with references searched in the gallery; "stream" the same with the
next photo read meanwhile, as `procrop crop` and every loop over photos do. smartcrop reads the same file by Pillow. It
is asked for a target size, and looks at the photo at about that size: at its default of 100 x 100 it places a crop to
the nearest 8 of some 111 pixels, at half of both sides, or for the largest square, to the nearest 8 pixels of much
more. A ratio of 1 or more says that the cropper is at least as fast; the last ones are of CPU time in all threads, the
fairer clock where the machine is busy. --exported adds the model as `procrop export` wrote it. Without --checkpoint the
model is that of --config with random weights, and its gallery pieces of sample photos.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from rounds import Times

    from procrop.inference import PhotoCropper

OURS = ("crop", "stream", "exported")
#: target (width, height) that smartcrop is asked for, of a photo's (width, height)
TARGETS: dict[str, Callable[[int, int], tuple[int, int]]] = {
    "smartcrop, 100 x 100 (default)": lambda width, height: (100, 100),
    "smartcrop, half of both sides": lambda width, height: (width // 2, height // 2),
    "smartcrop, largest square": lambda width, height: (min(width, height),) * 2,
}
TARGET = 1.0


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="beside_smartcrop.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("photos", type=Path, help="folder of photos")
    add("--count", type=int, default=24, help="photos, spread over the folder (default %(default)s)")
    add("--rounds", type=int, default=7, help="counted rounds (default %(default)s)")
    add("--config", default=str(ROOT / "configs/procrop_lite.py"), help="model (default: procrop_lite.py)")
    add("--checkpoint", help="a trained model in place of --config, or its name")
    add("--gallery", help="its gallery (default: its own)")
    add("--exported", help="folder of procrop export, of the same model, to be measured too")
    add("--threads", type=int, default=2, help="CPU threads (default %(default)s)")
    add("--out", type=Path, metavar="FILE.md", help="write the table there")
    parser.set_defaults(run=run)
    return parser


def smartcrop_all(photos: Sequence[Path], target: Callable[[int, int], tuple[int, int]]) -> None:
    """Read and analyse each photo."""
    from PIL import Image
    from smartcrop import SmartCrop

    for path in photos:
        with Image.open(path) as image:
            SmartCrop().crop(image, *target(*image.size))


def sides(
    cropper: "PhotoCropper", exported: "PhotoCropper | None", photos: Sequence[Path]
) -> dict[str, Callable[[], object]]:
    """What is timed, by name; each call takes all photos."""
    ours: dict[str, Callable[[], object]] = {
        "crop": lambda: [cropper.crop(path) for path in photos],
        "stream": lambda: list(cropper.stream(photos, images=False)),
    }
    if exported is not None:
        ours["exported"] = lambda: [exported.crop(path) for path in photos]
    peers = {name: lambda target=target: smartcrop_all(photos, target) for name, target in TARGETS.items()}
    return ours | peers


def table(times: "Mapping[str, Times]", photos: int) -> str:
    """Markdown: seconds a photo, and how fast each of our sides is in units of each of smartcrop's."""
    from rounds import speeds

    columns = [(name, clock) for clock in ("wall", "cpu") for name in OURS if name in times]
    heads = ["", "wall clock a photo", "CPU a photo"]
    heads += [f"speed of {name}{', CPU' if clock == 'cpu' else ''}" for name, clock in columns]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name, found in times.items():
        wall, cpu = (statistics.median(clock) / photos * 1e3 for clock in (found.wall, found.cpu))
        cells = [""] * len(columns)
        if name not in OURS:
            ratios = [speeds(getattr(times[ours], clock), getattr(found, clock)) for ours, clock in columns]
            cells = [
                f"{middle:.2f} ({low:.2f} to {high:.2f}) {'met' if middle >= TARGET else 'missed'}"
                for middle, low, high in ratios
            ]
        lines.append(f"| {name} | {wall:.1f} ms | {cpu:.1f} ms | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(source: Path, count: int) -> list[Path]:
    """So many photos of a folder, evenly from its first to its last."""
    from procrop.io import list_photos

    found = list_photos(source)
    return [found[i * len(found) // count] for i in range(min(count, len(found)))] if found else []


def open_exported(folder: str, gallery: Path | None, threads: int) -> "PhotoCropper":
    """The same model by onnxruntime."""
    from procrop.export import OnnxCropper

    return OnnxCropper(folder, gallery, threads=threads)


def run(args: argparse.Namespace) -> int:
    """Measure, print, write."""
    if min(args.rounds, args.count, args.threads) < 1:
        raise ValueError("--rounds, --count and --threads must be at least 1")
    photos = spread(args.photos, args.count)
    import cv2
    import torch
    from mmengine.config import Config
    from rounds import time_rounds
    from untrained_cropper import write_cropper

    from procrop.inference import CropInferencer
    from procrop.inference.one_call import find_model
    from procrop.io.atomic import write_text

    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    with tempfile.TemporaryDirectory(prefix="procrop_benchmark_") as name:
        if args.checkpoint:
            model = find_model(args.checkpoint, args.gallery)
        else:
            retrieval = ROOT / "configs/_base_/retrieval/subject_evidence.py"
            model = write_cropper(Config.fromfile(args.config), args, Path(name), retrieval)
        cropper = CropInferencer(*model, "cpu")
        exported = open_exported(args.exported, model[1], args.threads) if args.exported else None
        times = time_rounds(sides(cropper, exported, photos), args.rounds)
    said = Path(args.checkpoint).name if args.checkpoint else f"{Path(args.config).name}, random weights"
    head = f"{said}: {args.threads} thread(s), {len(photos)} photos, {args.rounds} rounds"
    text = f"{head}\n\n{table(times, len(photos))}\n"
    print(text)
    if args.out:
        write_text(args.out, text)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

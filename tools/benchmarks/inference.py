"""What cropping a folder adds to the networks: `procrop crop` against decode plus bare forward, and against smartcrop.

    python tools/benchmarks/inference.py [PHOTOS] [--count 48] [--rounds 5] [--checkpoint FILE --gallery FOLDER]

All in one run on the same photos: every side crops the whole folder once a round, in turn. "bare" is all that a photo
must go through: read_photo, the search's encoder, the gallery search, pre-processing, the model's prediction. Beside it
stand CropInferencer.stream and the command, which writes crops, record and table, and a contact sheet where it says so.
A share of 0.85 means 0.85 times the photos per second of bare. smartcrop (the package) reads, analyses and writes its
one square crop. Each side has both clocks: the wall's, and CPU time in all threads, in which writing counts in full
although it is done beside the networks. The model is loaded before. Without PHOTOS, those that come with scikit-image
and scikit-learn are repeated; without --checkpoint the model is that of --config, with random weights.
"""

import argparse
import contextlib
import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from rounds import Times

    from procrop.inference import CropInferencer

TARGET = 0.85
BARE, SMARTCROP = "bare", "smartcrop, 1:1, 1 crop"
_SQUARE = ("--ratio", "1:1")
COMMANDS = {
    "crop": ("--no-sheet",),
    "crop, 1:1": (*_SQUARE, "--no-sheet"),
    "crop, 1:1, 1 crop": (*_SQUARE, "--no-sheet", "--top-k", "1"),
    "crop with sheet": (),
    "crop, 1:1, with sheet": _SQUARE,
}
AGAINST_SMARTCROP = "crop, 1:1, 1 crop"


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="inference.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("photos", nargs="?", type=Path, help="folder of photos")
    add("--count", type=int, default=48, help="photos to crop (default %(default)s)")
    add("--rounds", type=int, default=5, help="counted rounds (default %(default)s)")
    add("--config", default=str(ROOT / "configs/procrop_toy.py"), help="model (default: procrop_toy.py)")
    add("--checkpoint", help="a trained model in place of --config")
    add("--gallery", help="its gallery (default: the one of its training)")
    add("--device", default="cpu", help="torch device (default %(default)s)")
    add("--threads", type=int, default=1, help="CPU threads of the networks (default %(default)s)")
    add("--out", type=Path, metavar="FILE.md", help="write the tables there")
    return parser


def bare_forward(cropper: "CropInferencer", photos: list[Path]) -> None:
    """Decode each photo and let the networks predict, without anything that is made of it."""
    import torch

    from procrop.inference import ReferenceChoice
    from procrop.io import read_photo

    for path in photos:
        photo = read_photo(path)
        results = dict(photo=photo, img_path=None, img_id="", source_id="")
        with torch.no_grad():
            data = cropper.pipeline(results)
            if cropper.references is not None:
                found = cropper.references.find(cropper.references.embed(photo), ReferenceChoice())
                data["data_samples"].references = found.fields
            cropper.model.test_step(dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]]))


def stream(cropper: "CropInferencer", photos: list[Path], ratio: str | None) -> None:
    """Crop by CropInferencer, and write nothing."""
    from procrop.inference import CropRequest

    for result in cropper.stream(photos, CropRequest(ratio=ratio)):
        assert result.rejected is None


def smartcrop_folder(photos: list[Path], out: Path) -> None:
    """Read, analyse and write a square crop of each photo with smartcrop."""
    from PIL import Image
    from smartcrop import SmartCrop

    out.mkdir()
    for path in photos:
        with Image.open(path) as image:
            best = SmartCrop().crop(image, 100, 100)["top_crop"]
            left, top = best["x"], best["y"]
            crop = image.crop((left, top, left + best["width"], top + best["height"]))
            crop.save(out / path.name, "JPEG", quality=90)


class Sides:
    """The sides of the comparison; each call crops the whole folder into an empty place.

    Args:
        cropper: the model, opened with ``options``.
        folder: the photos.
        options: words of the command line that say which model.
        work: where outputs go.
    """

    def __init__(self, cropper: "CropInferencer", folder: Path, options: list[str], work: Path) -> None:
        self.cropper, self.folder, self.options, self.out = cropper, folder, options, work / "out"
        self.photos = sorted(folder.iterdir())

    def all(self) -> dict[str, Callable[[], object]]:
        """By name."""
        sides: dict[str, Callable[[], object]] = {
            BARE: lambda: bare_forward(self.cropper, self.photos),
            "stream": lambda: stream(self.cropper, self.photos, None),
            "stream, 1:1": lambda: stream(self.cropper, self.photos, "1:1"),
        }
        for name, words in COMMANDS.items():
            sides[name] = lambda words=words: self._command(words)
        sides[SMARTCROP] = lambda: smartcrop_folder(self.photos, self._empty())
        return sides

    def _empty(self) -> Path:
        shutil.rmtree(self.out, ignore_errors=True)
        return self.out

    def _command(self, words: tuple[str, ...]) -> None:
        from procrop.apis.cropping import command

        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        arguments = [str(self.folder), "--out", str(self._empty()), *self.options, *words]
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = command.run(parser.parse_args(arguments), self.cropper)
        if code:
            raise ValueError(f"procrop crop {' '.join(arguments)}: exit code {code}: {said.getvalue()}")


def tables(times: "dict[str, Times]", photos: int) -> str:
    """Markdown: every side against bare, and the command against smartcrop."""
    from rounds import speeds

    lines = [
        "| | CPU per photo | of bare throughput, CPU time | wall clock | target |",
        "|---|---|---|---|---|",
    ]
    for name, found in times.items():
        if name == SMARTCROP:
            continue
        cpu = min(found.cpu) / photos * 1e3
        ratios = [speeds(getattr(found, clock), getattr(times[BARE], clock)) for clock in ("cpu", "wall")]
        shown = [f"{middle:.2f} ({low:.2f} to {high:.2f})" for middle, low, high in ratios]
        verdict = "" if name == BARE else "met" if ratios[0][0] >= TARGET else "missed"
        target = "" if name == BARE else f">= {TARGET} {verdict}"
        lines.append(f"| {name} | {cpu:.1f} ms | {shown[0]} | {shown[1]} | {target} |")
    lines += ["", "| | CPU per photo | its crops per second against smartcrop's, CPU time | wall clock |"]
    lines += ["|---|---|---|---|"]
    for name in (AGAINST_SMARTCROP, SMARTCROP):
        found, peer = times[name], times[SMARTCROP]
        ratios = [speeds(getattr(found, clock), getattr(peer, clock)) for clock in ("cpu", "wall")]
        shown = [f"{middle:.3f} ({low:.3f} to {high:.3f})" for middle, low, high in ratios]
        lines.append(f"| {name} | {min(found.cpu) / photos * 1e3:.1f} ms | {shown[0]} | {shown[1]} |")
    return "\n".join(lines)


def take_photos(source: Path | None, folder: Path, count: int) -> None:
    """Copy the first photos of a folder, or write those of the installed packages.

    Raises:
        ValueError: there is no photo.
    """
    if source is None:
        from untrained_cropper import write_photos

        return write_photos(folder, count)
    from procrop.io import list_photos

    folder.mkdir(parents=True)
    for number, path in enumerate(list_photos(source)[:count]):
        shutil.copy(path, folder / f"{number:04d}{path.suffix.lower()}")


def run(args: argparse.Namespace) -> int:
    """Measure, print, write."""
    if args.rounds < 1 or args.count < 1:
        raise ValueError("--rounds and --count must be at least 1")
    import cv2
    import torch
    from mmengine.config import Config
    from rounds import time_rounds
    from untrained_cropper import write_cropper

    from procrop.inference import CropInferencer
    from procrop.io.atomic import write_text

    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    with tempfile.TemporaryDirectory(prefix="procrop_benchmark_") as name:
        work = Path(name)
        take_photos(args.photos, work / "photos", args.count)
        checkpoint, gallery = args.checkpoint, args.gallery
        if checkpoint is None:
            checkpoint, gallery = write_cropper(Config.fromfile(args.config), args, work)
        cropper = CropInferencer(checkpoint, gallery, args.device)
        options = ["--checkpoint", str(checkpoint), *(["--gallery", str(gallery)] if gallery else [])]
        sides = Sides(cropper, work / "photos", options, work)
        times = time_rounds(sides.all(), args.rounds)
        photos = len(sides.photos)
    model = Path(args.checkpoint).name if args.checkpoint else f"{Path(args.config).name}, random weights"
    head = f"{model}: {args.device}, {args.threads} thread(s) of the networks, {photos} photos, {args.rounds} rounds"
    text = f"{head}\n\n{tables(times, photos)}\n"
    print(text)
    if args.out:
        write_text(args.out, text)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    args = parser.parse_args(argv)
    args.run = run
    return run_guarded(parser, args)


if __name__ == "__main__":
    sys.exit(main())

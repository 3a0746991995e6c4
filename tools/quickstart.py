"""The main job from beginning to end on this machine, a CPU included: ``python tools/quickstart.py``.

Draws a toy dataset, builds a gallery, finds neighbours, trains and tests a small ProCrop. Then it crops the real photos
that come with scikit-image and scikit-learn, with that model and with procrop-lite, which comes with the package. Every
step is the command that you would type. A finished step is not repeated; a training that was interrupted goes on where
it stopped.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "configs/procrop_toy.py"
RETRIEVAL = "configs/_base_/retrieval/efficientnet_lite0.py"
DATA = "data/toy"
IMAGES = 600

# figures to print at the end; all of them are in test_metrics.json
HEADLINES = {
    "crop_best/iou@1": "IoU with the best crop; more is better",
    "crop_best/disp@1": "boundary displacement; less is better",
    "acc/acc_1/5@0.85": "first crop among the 5 best (IoU >= 0.85)",
    "acc/acc_1/10@0.85": "first crop among the 10 best (IoU >= 0.85)",
}

# photos inside the two packages; whichever of them a release ships is taken
REAL_PHOTOS = {
    "skimage": [f"data/{name}" for name in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")]
    + ["data/camera.png", "data/motorcycle_left.png"],
    "sklearn": ["datasets/images/china.jpg", "datasets/images/flower.jpg"],
}


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        name: its name in the record of finished steps.
        title: what it does, in a few words.
        command: arguments after ``python``; CHECKPOINT stands for the trained one.
        makes: a file or folder that is there when it is done.
        resume: arguments to add when the same step was interrupted.
    """

    name: str
    title: str
    command: tuple[str, ...]
    makes: str
    resume: tuple[str, ...] = ()


class StepError(RuntimeError):
    """A step that failed; the message says which, and how to go on."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the steps; exit code 0 when all are done."""
    args = parse_args(argv)
    os.chdir(ROOT)  # all paths in configs and commands are relative to the checkout
    if args.export_photos:
        return export_photos(Path(args.export_photos))
    start, out = time.monotonic(), args.out
    record = Path(out, "steps.json")
    if args.fresh:
        record.unlink(missing_ok=True)
    steps = plan(out, args.images, args.epochs)
    try:
        run_steps(steps, record, Path(out, "train"), start)
    except StepError as error:
        print(f"\nquickstart: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nquickstart: interrupted; run it again to go on", file=sys.stderr)
        return 130
    print_results(Path(out), time.monotonic() - start)
    return 0


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", default="work_dirs/quickstart", metavar="DIR", help="results (default: %(default)s)"
    )
    parser.add_argument(
        "--images", type=int, default=IMAGES, metavar="N", help="photos to draw (default: %(default)s)"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="training epochs (default: the config's)")
    parser.add_argument("--fresh", action="store_true", help="repeat finished steps too")
    parser.add_argument("--export-photos", metavar="DIR", help="only copy the real photos into DIR")
    return parser.parse_args(argv)


def plan(out: str, images: int, epochs: int | None) -> list[Step]:
    """The steps in order; all paths are relative to the checkout."""
    train, shorter = f"{out}/train", ()
    if epochs is not None:
        shorter = ("--cfg-options", f"train_cfg.max_epochs={epochs}")
    gallery, photos = f"{DATA}/gallery_index", f"{out}/photos"
    draw = ("tools/make_toy_dataset.py", DATA, "--images", str(images), "--replace")
    build = ("tools/gallery.py", "build", gallery, "--photos", f"{DATA}/gallery", "--retrieval", RETRIEVAL)
    toy = f"{out}/toy_crops"
    crop = ("tools/crop.py", photos, "--on-exists", "overwrite", "--checkpoint")
    return [
        Step("data", "draw a toy dataset", draw, DATA),
        Step("gallery", "encode the gallery of well-composed photos", build, gallery),
        Step(
            "neighbours",
            "find each photo's neighbours in the gallery",
            ("tools/neighbours.py", CONFIG),
            f"{DATA}/neighbours.npz",
        ),
        Step(
            "train",
            "train a small ProCrop",
            ("tools/train.py", CONFIG, "--work-dir", train, *shorter),
            f"{train}/last_checkpoint",
            resume=("--resume",),
        ),
        Step(
            "test",
            "test it on unseen photos",
            ("tools/test.py", "CHECKPOINT", "--work-dir", f"{out}/test"),
            f"{out}/test/test_metrics.json",
        ),
        Step(
            "photos",
            "take the real photos of scikit-image and scikit-learn",
            ("tools/quickstart.py", "--export-photos", photos),
            photos,
        ),
        Step(
            "toy_crop", "crop them with that model", (*crop, "CHECKPOINT", "--out", toy), f"{toy}/sheet.png"
        ),
        Step(
            "crop",
            "crop them with procrop-lite, which comes with the package",
            (*crop, "procrop-lite", "--out", out),
            f"{out}/sheet.png",
        ),
    ]


def run_steps(steps: Sequence[Step], record: Path, train_dir: Path, start: float) -> None:
    """Run what is not done yet.

    Args:
        steps: all steps in order; each counts on those before it.
        record: JSON file of what was done with which arguments.
        train_dir: where the training leaves its checkpoints.
        start: ``time.monotonic()`` of the beginning, for the elapsed time.

    Raises:
        StepError: a command failed; the steps before it stay done.
    """
    done = _read_record(record)
    before = _file_digest(
        sorted(Path("configs").rglob("*.py"))
    )  # an edited config repeats everything after it
    for number, step in enumerate(steps, start=1):
        digest = hashlib.sha256(json.dumps([before, step.command]).encode()).hexdigest()
        head = f"[{number}/{len(steps)}] {step.title}"
        if done.get(step.name) == digest and Path(step.makes).exists():
            print(f"{head}: done before", flush=True)
        else:
            interrupted = done.get(step.name) == f"begun {digest}"
            _write_record(record, done, step.name, f"begun {digest}")
            command = [_checkpoint(train_dir) if word == "CHECKPOINT" else word for word in step.command]
            command += step.resume if interrupted else ()
            print(f"\n{head} ({_clock(time.monotonic() - start)} so far)", flush=True)
            _run(command)
            _write_record(record, done, step.name, digest)
        before = digest


def _run(command: Sequence[str]) -> None:
    text = shlex.join(["python", *command])
    print(f"  $ {text}", flush=True)
    start = time.monotonic()
    code = subprocess.run([sys.executable, *command], check=False).returncode
    if code:
        raise StepError(
            f"`{text}` failed (exit code {code}); its message is above. Mend it and run this again."
        )
    print(f"  took {_clock(time.monotonic() - start)}", flush=True)


def _checkpoint(train_dir: Path) -> str:
    """The checkpoint that did best in validation, else the last."""
    best = sorted(train_dir.glob("best_*.pth"), key=lambda path: path.stat().st_mtime)
    if best:
        return best[-1].as_posix()
    return (train_dir / Path((train_dir / "last_checkpoint").read_text().strip()).name).as_posix()


def export_photos(folder: Path) -> int:
    """Copy the real photos that the installed packages hold into ``folder``; nothing is downloaded."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for package, names in REAL_PHOTOS.items():
        spec = importlib.util.find_spec(package)
        roots = list(spec.submodule_search_locations or []) if spec else []
        for path in [Path(root, name) for root in roots for name in names]:
            if path.is_file():
                (folder / path.name).write_bytes(path.read_bytes())
                count += 1
    if not count:
        print("no photo found: install them with `pip install scikit-image scikit-learn`", file=sys.stderr)
        return 1
    print(f"{count} photos in {folder}")
    return 0


def print_results(out: Path, seconds: float) -> None:
    """Print the main test figures beside their floors, and where everything is."""
    file = out / "test" / "test_metrics.json"
    metrics = json.loads(file.read_text())
    print(f"\nAll done in {_clock(seconds)}. On unseen toy photos ({file} has more):")
    print(f"  {'':<18} {'ProCrop':>8} {'random':>8} {'full photo':>11}")
    for name, meaning in HEADLINES.items():
        room, key = name.split("/", 1)
        figures = [
            metrics.get(f"{room}/{k}") for k in (key, f"random_{key}", f"full_photo_{key.split('@')[0]}")
        ]
        shown = ["" if value is None else f"{value:.3f}" for value in figures]
        print(f"  {name:<18} {shown[0]:>8} {shown[1]:>8} {shown[2]:>11}  {meaning}")
    print(f"Real photos cropped by this toy model: {out / 'toy_crops' / 'sheet.png'}")
    print(f"The same by procrop-lite, with references: {out / 'sheet.png'}")


def _read_record(record: Path) -> dict[str, str]:
    try:
        return json.loads(record.read_text())
    except (OSError, ValueError):  # none yet, or not ours: then nothing counts as done
        return {}


def _write_record(record: Path, done: dict[str, str], name: str, value: str) -> None:
    done[name] = value
    record.parent.mkdir(parents=True, exist_ok=True)
    temporary = record.with_suffix(".tmp")
    temporary.write_text(json.dumps(done, indent=2))
    temporary.replace(record)


def _file_digest(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


if __name__ == "__main__":
    sys.exit(main())

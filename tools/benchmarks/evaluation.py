#!/usr/bin/env python
"""What measuring costs: all protocols against plain loops, and the loading of a dataset of CPC's size.

    python tools/benchmarks/evaluation.py [--pairs 3] [--out FILE.md]

Photos, crops and predictions are drawn at random (500 photos x 90 predictions x 90 crops); both sides start from the
same Python lists, and their figures are compared before anything is timed. CPC's 10,797 annotation files are written
in the release layout to a temporary folder. Runs on one processor core, without torch.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

# one core for both sides: plain loops have no more
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

PROTOCOLS = (
    "crop",
    "crop_independent",
    "crop_best",
    "iou_max_mean",
    "acc",
    "acc_ties",
    "jia_recall",
    "grid",
    "ap",
)
TARGET = 50.0


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=500, help="photos to be scored (default: %(default)s)")
    parser.add_argument("--files", type=int, default=10_797, help="annotation files (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each side (default: %(default)s)")
    parser.add_argument("--out", metavar="FILE.md", help="write the tables there")
    return parser.parse_args(argv)


def draw_photos(count: int) -> list:
    """Photos with the 90 boxes of the GAIC grid, MOS with ties, and 90 predictions near the boxes."""
    import numpy as np

    from procrop.structures.grid_anchors import gaic_grid_anchors

    rng = np.random.default_rng(0)
    photos = []
    for _ in range(count):
        size = rng.integers(600, 1025, 2).tolist()
        crops = gaic_grid_anchors(*size, rule="all", round_to_pixels=True)
        preds = crops[rng.permutation(90)] + rng.normal(0, 12, (90, 4))
        mos = np.clip(np.round(rng.normal(2.9, 0.8, 90) * 7) / 7, 1, 5)
        ranked = mos + rng.normal(0, 0.8, 90)
        photos.append((size, *(part.tolist() for part in (crops, mos, preds, rng.random(90), ranked))))
    return photos


def measure_ours(photos: list, floors: bool = False) -> dict[str, float]:
    """All figures by this project's protocols."""
    from procrop.datasets.positives import select_positives
    from procrop.evaluation.measured import measure
    from procrop.evaluation.named_protocols import make_protocols
    from procrop.evaluation.photo_record import make_photo_record

    records = []
    for number, (size, crops, mos, preds, scores, ranked) in enumerate(photos):
        mos = _array(mos)
        positives = select_positives(mos, 4.0)
        records.append(make_photo_record(str(number), size, crops, mos, positives, preds, scores, ranked))
    protocols = make_protocols(PROTOCOLS)
    for protocol in protocols:
        protocol.floors = floors
    return measure(protocols, records).named


def _array(values: list):  # noqa: ANN202 (numpy is imported late)
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def time_protocols(photos: list, pairs: int) -> list[str]:
    """Rows of the table of protocols."""
    sys.path.insert(0, str(Path(__file__).parent))
    import evaluation_loops
    from pairs import time_pairs

    ours, loops = measure_ours(photos[:20]), evaluation_loops.evaluate(photos[:20])
    wrong = {key: (ours[key], value) for key, value in loops.items() if abs(ours[key] - value) > 1e-9}
    if wrong:
        raise SystemExit(f"the two sides disagree, nothing is timed: {wrong}")
    times = time_pairs(lambda: measure_ours(photos), lambda: evaluation_loops.evaluate(photos), pairs)
    start = time.perf_counter()
    measure_ours(photos, floors=True)
    floors = time.perf_counter() - start
    name = f"{len(loops)} figures of {len(photos)} photos x 90 predictions x 90 crops"
    return [row(name, times, TARGET), f"\nOurs with all floors besides: {floors:.2f} s."]


def row(name: str, times, target: float | None) -> str:  # noqa: ANN001 (PairedTimes, imported late)
    """A row: medians of both sides, and how many times as fast ours is."""
    ratios = sorted(1 / ratio for ratio in times.ratios)
    middle = statistics.median(ratios)
    verdict = "none" if target is None else f">= {target:g} {'met' if middle >= target else 'missed'}"
    return (
        f"| {name} | {statistics.median(times.ours):.3f} s | {statistics.median(times.peer):.3f} s "
        f"| {middle:.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f}) | {verdict} |"
    )


def write_cpc(root: Path, files: int) -> None:
    """Annotation files in CPC's release layout: JSON in a JSON string, 24 crops and 6 annotators."""
    import numpy as np

    rng = np.random.default_rng(0)
    (root / "images").mkdir()
    folder = root / "CollectedAnnotationsRaw"
    folder.mkdir()
    for number in range(files):
        low, high = rng.integers(0, 300, (24, 2)), rng.integers(400, 1000, (24, 2))
        content = {
            "bboxes": np.concatenate([low, high], axis=1).tolist(),
            "scores": rng.integers(0, 4, (6, 24)).tolist(),
        }
        (folder / f"{number:05d}.jpg.txt").write_text(json.dumps(json.dumps(content)))


def plain_cpc(root: Path) -> list:
    """The straightforward loop: two decodes and a mean per file."""
    photos = []
    for path in sorted((root / "CollectedAnnotationsRaw").iterdir()):
        content = json.loads(json.loads(path.read_text()))
        rows = content["scores"]
        scores = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        photos.append((path.name.removesuffix(".txt"), content["bboxes"], scores))
    return photos


def load_cpc(root: Path) -> list:
    """This project's reader, which checks what it reads."""
    from procrop.datasets.formats.cpc import read_cpc_annotation

    return [read_cpc_annotation(path) for path in sorted((root / "CollectedAnnotationsRaw").iterdir())]


def time_loading(files: int, pairs: int) -> list[str]:
    """Rows of the table of loading."""
    from pairs import time_pairs

    with tempfile.TemporaryDirectory() as folder:
        write_cpc(Path(folder), files)
        times = time_pairs(lambda: load_cpc(Path(folder)), lambda: plain_cpc(Path(folder)), pairs)
    return [row(f"CPC, {files:,} files of 24 crops", times, None)]


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    args = parse_args(argv)
    sys.path.insert(0, str(Path(__file__).parent))
    import numpy as np

    head = "| | this project | plain loops | times as fast: median (range) | target |\n|---|---|---|---|---|"
    lines = [f"CPU, 1 thread, numpy {np.__version__}, {args.pairs} pairs", "", head]
    lines += time_protocols(draw_photos(args.photos), args.pairs)
    lines += ["", head, *time_loading(args.files, args.pairs)]
    text = "\n".join(lines)
    print(text)
    if args.out:
        from procrop.io.atomic import write_text

        write_text(args.out, text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

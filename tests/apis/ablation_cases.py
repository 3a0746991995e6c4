"""Ablations of seconds: real configs and data, and tools that copy what a training would have given."""

import json
import shutil
import textwrap
from pathlib import Path

import numpy as np
from mmengine.config import Config

from procrop.apis import ablation_run
from procrop.apis.ablation_records import SamePhotos
from procrop.evaluation.measured import measure
from procrop.evaluation.photo_record import make_photo_record

ROOT = Path(__file__).parents[2]
TRAIN = """
    import argparse, os, sys
    from pathlib import Path
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    for name in ("--work-dir", "--seed", "--resume", "--device"):
        parser.add_argument(name)
    parser.add_argument("--cfg-options", nargs="+")
    args = parser.parse_args()
    here, work = Path(__file__).parents[1], Path(args.work_dir)
    name = Path(args.config).stem
    with open(here / "calls.txt", "a") as calls:
        print("train", name, args.seed, args.resume, os.environ.get("OMP_NUM_THREADS"), file=calls)
    work.mkdir(parents=True, exist_ok=True)
    (work / "epoch_1.pth").write_text(f"{name} {args.seed}")
    (work / "last_checkpoint").write_text(str(work / "epoch_1.pth"))
    trouble = here / f"{name}.trouble"
    if trouble.exists():
        code = int(trouble.read_text())
        trouble.unlink()
        print("error: the disk is full")
        print("\\n".join(f"Get it by command {i}" for i in range(9)))
        sys.exit(code)
"""
TEST = """
    import argparse, shutil, sys
    from pathlib import Path
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="+")
    for name in ("--work-dir", "--dump", "--device"):
        parser.add_argument(name)
    args = parser.parse_args()
    here, work = Path(__file__).parents[1], Path(args.work_dir)
    name, seed = Path(args.paths[-1]).read_text().split()
    trouble = here / f"{Path(args.paths[0]).stem}.trouble"
    if len(args.paths) > 1 and trouble.exists():
        sys.exit(trouble.read_text())
    with open(here / "calls.txt", "a") as calls:
        print("test", name, seed, *[Path(path).stem for path in args.paths[:-1]], file=calls)
    work.mkdir(parents=True, exist_ok=True)
    shutil.copy(here / f"{name}_{seed}.jsonl", args.dump)
    shutil.copy(here / f"{name}_{seed}.json", work / "test_metrics.json")
"""
KEYS = dict(k00="references = None", k01="references = dict(k=1)", k06="references = dict(k=6)")
ERRORS = dict(k00=0.12, k01=0.08, k06=0.03)  # by how much of the sides the predictions are off


class FakeTools:
    """Configs k00, k01, k06 on toy photos, and tools that stand for their trainings.

    Attributes:
        configs: Folder of the configs.
        iou: (name, seed) -> IoU of the first prediction of each photo with its best crop.
    """

    def __init__(self, folder: Path, toy: Path, monkeypatch) -> None:
        self.folder, self.configs, self.iou = folder, folder / "configs", {}
        (folder / "tools").mkdir(parents=True)
        (folder / "tools/train.py").write_text(textwrap.dedent(TRAIN))
        (folder / "tools/test.py").write_text(textwrap.dedent(TEST))
        self.configs.mkdir()
        for name, references in KEYS.items():
            self.write_config(name, references, toy)
        same = SamePhotos(Config.fromfile(self.configs / "k06.py").to_dict())
        for i, (name, error) in enumerate(ERRORS.items()):
            for seed in (0, 1):
                self._predict(name, seed, error, np.random.default_rng([i, seed]), same)
        monkeypatch.setattr(ablation_run, "ROOT", folder)

    def write_config(self, name: str, references: str, toy: Path) -> None:
        lines = [f"_base_ = [{str(ROOT / 'configs/procrop_toy.py')!r}]", references]
        if references.endswith("None"):
            lines.append("model = dict(context_encoders=None, fusion=None)")
        for loader in ("train", "val", "test"):
            lines.append(
                f"{loader}_dataloader = dict(dataset=dict(data_root={str(toy)!r}, references=references))"
            )
        (self.configs / f"{name}.py").write_text("\n".join(lines) + "\n")

    def _predict(self, name, seed, error, rng, same) -> None:
        lines, records, ious = [], [], []
        for photo in same.photos:
            best = photo["gt_bboxes"][np.argmax(photo["gt_scores"])].astype(float)
            sides = np.tile(best[2:] - best[:2], 2)
            boxes = np.round(best + error * sides * rng.uniform(-1, 1, (5, 4)), 3)
            scores = np.linspace(0.9, 0.1, 5)
            size = [128, 96]
            lines.append(
                dict(img_id=photo["img_id"], size=size, boxes=boxes.tolist(), scores=scores.tolist())
            )
            args = photo["gt_bboxes"], photo["gt_scores"], photo["gt_positives"], boxes, scores
            records.append(make_photo_record(photo["img_id"], size, *args))
            low, high = np.maximum(boxes[0, :2], best[:2]), np.minimum(boxes[0, 2:], best[2:])
            areas = [np.prod(box[2:] - box[:2]) for box in (boxes[0], best)]
            ious.append(np.prod(high - low) / (sum(areas) - np.prod(high - low)))
        self.iou[name, seed] = np.array(ious)
        (self.folder / f"{name}_{seed}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        figures = measure(same.protocols, records).named | {
            "crop_best/photos": len(lines),
            "dump/photos": len(lines),
        }
        (self.folder / f"{name}_{seed}.json").write_text(json.dumps(figures))

    def calls(self) -> list[str]:
        """What was called since last asked, in order of the names."""
        file = self.folder / "calls.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return sorted(lines)

    def trouble(self, name: str, code: int) -> None:
        """Let the next training of a config end with an exit code."""
        (self.folder / f"{name}.trouble").write_text(str(code))

    def spoil(self, out: Path, name: str) -> None:
        """Exchange the predictions of a finished test for those of another model."""
        shutil.copy(self.folder / "k00_0.jsonl", out / name / "seed0/tests/own/predictions.jsonl")

"""What the studies on drawn photos share: data, trainings and tests of one seed, in a folder of their own."""

import hashlib
import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from procrop.io.atomic import write_json, write_text
from procrop.structures.boxes import box_iou

ROOT = Path(__file__).resolve().parents[3]


class MechanismStudy(ABC):
    """One seed of an experiment: everything is done by the tools, as a user would, and what is finished is kept.

    The folder holds ``data``, a work folder per model, ``predictions_*.jsonl``, ``settings.json`` and ``log.txt``.

    Args:
        out: Folder of the experiment; this seed gets a folder in it.
        seed: Of photos and trainings.
        settings: What the figures depend on beside the seed and the configs.
        epochs: Length of the trainings; None leaves it to the config.
        threads: Threads of each tool; None leaves the choice to it.

    Raises:
        SystemExit: The folder holds results of other settings or configs, which must not be taken for these.
    """

    def __init__(
        self,
        out: Path,
        seed: int,
        settings: dict[str, Any],
        epochs: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.seed, self.epochs, self.threads = seed, epochs, threads
        self.folder = (out / f"seed{seed}").resolve()
        self.data = self.folder / "data"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._claim(settings | dict(epochs=epochs, seed=seed))

    def _claim(self, settings: dict[str, Any]) -> None:
        """Note what the figures of this folder are made with."""
        digest = hashlib.sha256()
        for path in sorted((ROOT / "configs").rglob("*.py")):
            digest.update(path.read_bytes())
        settings = settings | dict(configs=digest.hexdigest())
        record = self.folder / "settings.json"
        if record.exists() and json.loads(record.read_text()) != settings:
            raise SystemExit(
                f"{self.folder}: holds results of other arguments or configs; name another folder: --out DIR"
            )
        write_text(record, json.dumps(settings, indent=1) + "\n")

    @abstractmethod
    def run(self) -> dict[str, Any]:
        """Do everything for this seed; returns its figures."""

    @abstractmethod
    def config(self, model: str) -> str:
        """Config file of a model, relative to the repository."""

    @abstractmethod
    def dataset_options(self, model: str, context: str | None) -> dict[str, object]:
        """What points a model's datasets at this seed's files: key of the dataset's config to value.

        Args:
            model: Name of the model.
            context: What it is given beside the photo; None is what it was trained with.
        """

    def options(self, model: str, context: str | None = None) -> list[str]:
        """Config overrides of a model."""
        found = []
        for loader in ("train", "val", "test"):
            values = {"data_root": self.data} | self.dataset_options(model, context)
            found += [f"{loader}_dataloader.dataset.{key}={value}" for key, value in values.items()]
        if self.epochs:
            found.append(f"train_cfg.max_epochs={self.epochs}")
        return found

    def train(self, model: str) -> None:
        """Train one model; an interrupted training is resumed."""
        work = self.folder / model
        if (work / "trained").exists():
            return
        args = ["--work-dir", work, "--seed", self.seed, "--resume", "auto"]
        self.call("train.py", self.config(model), *args, "--cfg-options", *self.options(model))
        (work / "trained").touch()

    def test(self, name: str, model: str, context: str | None) -> None:
        """Predict the test photos for one row of the report."""
        dump = self.predictions(name)
        if dump.exists():
            return
        work = self.folder / model
        checkpoint = (work / "last_checkpoint").read_text().strip()
        args = [checkpoint, "--work-dir", work / "test", "--dump", dump]
        self.call("test.py", *args, "--cfg-options", *self.options(model, context))

    def predictions(self, name: str) -> Path:
        """Where a row's predictions lie."""
        return self.folder / f"predictions_{name.split(',')[0].replace(' ', '_')}.jsonl"

    def test_scenes(self) -> list[dict[str, Any]]:
        """What is known of the test photos, in the order of scenes.jsonl."""
        return [scene for scene in self.scenes().values() if scene["split"] == "test"]

    def top_crops(self, name: str) -> np.ndarray:
        """A row's top-1 crops of :meth:`test_scenes`, (n, 4) xyxy pixels."""
        rows = {
            row["img_id"]: row for row in map(json.loads, self.predictions(name).read_text().splitlines())
        }
        ids = [scene["id"] for scene in self.test_scenes()]
        assert rows.keys() == set(ids), (name, len(rows), len(ids))
        return np.array([rows[img_id]["boxes"][0] for img_id in ids], np.float64)

    def overlaps(self, name: str, *keys: str) -> np.ndarray:
        """IoU of a row's top-1 crops with the crops that scenes.jsonl has under ``keys``, (n, len(keys)) float64."""
        crops, scenes = self.top_crops(name), self.test_scenes()
        wanted = [np.array([scene[key] for key in keys], np.float64) for scene in scenes]
        return np.stack([box_iou(crop[None], boxes)[0] for crop, boxes in zip(crops, wanted, strict=True)])

    def scenes(self) -> dict[str, dict[str, Any]]:
        """What is known of each photo, by id."""
        from procrop.datasets.toy import read_scenes

        return {scene["id"]: scene for scene in read_scenes(self.data)}

    def call(self, tool: str, *args: object) -> None:
        """Run a tool; its output goes to this seed's log, the step's name to the screen.

        Raises:
            SystemExit: It failed; the message has the end of the log.
        """
        command = [sys.executable, str(ROOT / "tools" / tool), *map(str, args)]
        print(f"[seed {self.seed}] {tool} {' '.join(map(str, args[:2]))}", flush=True)
        env = None if self.threads is None else os.environ | dict(OMP_NUM_THREADS=str(self.threads))
        with open(self.folder / "log.txt", "a") as log:
            done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=env)
        if done.returncode:
            tail = (self.folder / "log.txt").read_text().splitlines()[-5:]
            raise SystemExit("\n".join([f"{tool} failed; the end of {self.folder / 'log.txt'}:", *tail]))


def run_studies(studies: list[MechanismStudy], jobs: int) -> dict[int, dict[str, Any]]:
    """Figures of each seed, so many seeds at work at once."""
    with ThreadPoolExecutor(jobs) as pool:
        figures = pool.map(lambda study: study.run(), studies)
        return dict(zip([study.seed for study in studies], figures, strict=True))


def write_report(out: Path, results: dict[int, dict[str, Any]], text: str) -> None:
    """Write report.md and results.json, and print the report."""
    write_json(out / "results.json", results)
    write_text(out / "report.md", text + "\n")
    print(text)


def seed_rows(title: str, rows: list[tuple[str, list[float]]], seeds: list[int]) -> list[str]:
    """A Markdown table of figures, a column per seed and one for their mean.

    Args:
        title: Head of the first column.
        rows: Name and figures, in the order of the seeds.
        seeds: Their numbers.
    """
    lines = [f"| {title} | " + " | ".join(f"seed {s}" for s in seeds) + " | mean |"]
    lines.append("|---" * (len(seeds) + 2) + "|")
    for name, values in rows:
        cells = [*values, float(np.mean(values))]
        lines.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in cells) + " |")
    return lines

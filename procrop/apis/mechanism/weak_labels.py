"""What the second stage adds: two stages of weak supervision against the first one alone, for as many iterations."""

import json
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from procrop.evaluation.bootstrap import paired_difference
from procrop.io.manifest import sha256_file

from .study import MechanismStudy

# model -> config and, where it goes on from another one's first stage, that one
MODELS = {
    "two stages": ("configs/cad/procrop_cad_small.py", None),
    "stage 1 continued": ("configs/cad/procrop_cad_small_stage1.py", "two stages"),
    "two stages, decoy seams": ("configs/cad/procrop_cad_small_decoys.py", None),
}
TWO, ONE, DECOYS = MODELS
KEYS = tuple(f"{name}@{n}" for name in ("iou", "disp") for n in (1, 2, 3))


class WeakLabelStudy(MechanismStudy):
    """One seed: trainings on a generated set, tests on its held-out photos and on FLMS, and the seam probe.

    Args:
        args: The command line of tools/cad_study.py.
        seed: Of the trainings; the photos are the same for all.
    """

    def __init__(self, args: Namespace, seed: int) -> None:
        self.args = args
        # the decoys can be added later
        annotations = sha256_file(args.data / "annotations.jsonl")
        settings = dict(photos=args.photos, data=str(args.data.resolve()), annotations=annotations)
        super().__init__(args.out, seed, settings, args.epochs, threads=1)
        self.data = args.data.resolve()
        self.models = [name for name in MODELS if args.decoys or name != DECOYS]

    def run(self) -> dict[str, Any]:
        """Everything for this seed; returns its figures."""
        for model in self.models:
            self.train(model)
            for name in self.test_sets():
                self.test(name, model, None)
        return self.figures()

    def config(self, model: str) -> str:
        return MODELS[model][0]

    def dataset_options(self, model: str, context: str | None) -> dict[str, object]:
        return {}

    def options(self, model: str, context: str | None = None) -> list[str]:
        """Both stages of ``epochs`` epochs, the learning rate dropping near the end of the second."""
        epochs = self.epochs
        found = [f"{loader}_dataloader.dataset.data_root={self.data}" for loader in ("train", "val", "test")]
        found += [
            f"train_dataloader.dataset.indices={self.args.photos}",
            f"train_cfg.max_epochs={2 * epochs}",
            f"train_cfg.val_interval={2 * epochs}",
            f"param_scheduler.1.milestones=[{2 * epochs - max(1, epochs // 3)}]",
            f"default_hooks.checkpoint.interval={epochs}",
        ]
        if model != ONE:
            interval = max(1, epochs // 4)
            found += [f"custom_hooks.0.begin_epoch={epochs}", f"custom_hooks.0.interval={interval}"]
        return found

    def work(self, model: str) -> Path:
        """Work folder of a model."""
        return self.folder / model.replace(", ", "_").replace(" ", "_")

    def checkpoint(self, model: str) -> Path:
        """Its last checkpoint."""
        return self.work(model) / f"epoch_{2 * self.epochs}.pth"

    def train(self, model: str) -> None:
        work, (config, first) = self.work(model), MODELS[model]
        if self.checkpoint(model).exists():
            return
        resume = "auto"
        if first is not None and not (work / "last_checkpoint").exists():
            resume = self.work(first) / f"epoch_{self.epochs}.pth"
        args = ["--work-dir", work, "--seed", self.seed, "--resume", resume]
        self.call("train.py", config, *args, "--cfg-options", *self.options(model))

    def test_sets(self) -> dict[str, tuple[str, list[str], list[object]]]:
        """Name of a test set -> its spec, and config and options of its test."""
        held_out = (f"cad:{self.data}:test", [], self.options(TWO)[:3])
        if self.args.flms is None:
            return {"held-out photos": held_out}
        flms = self.args.flms.resolve()
        part = ["configs/transfer/test_on_flms.py"]
        options = [f"test_dataloader.dataset.data_root={flms}", "test_dataloader.num_workers=0"]
        return {"held-out photos": held_out, "FLMS": (f"flms:{flms}", part, options)}

    def test(self, name: str, model: str, context: str | None) -> None:
        """Predict a test set."""
        dump = self.predictions(f"{name} {model}")
        if dump.exists():
            return
        _, part, options = self.test_sets()[name]
        args = [*part, self.checkpoint(model), "--work-dir", self.work(model) / "test", "--dump", dump]
        self.call("test.py", *args, "--cfg-options", *options)

    def predictions(self, name: str) -> Path:
        return self.folder / f"predictions_{name.replace(', ', '_').replace(' ', '_')}.jsonl"

    def figures(self) -> dict[str, Any]:
        """Per-photo IoU@N and Disp@N of each test set and model, label versions, and the seam probe."""
        from procrop.apis.cad_labels import open_store, version_rows

        sets = {name: self._measured(name) for name in self.test_sets()}
        labels = {
            model: version_rows(open_store(str(self.work(model)))) for model in self.models if model != ONE
        }
        return {"sets": sets, "labels": labels, "seams": self._seams()}

    def _measured(self, name: str) -> dict[str, Any]:
        from procrop.datasets.formats.spec import parse_spec
        from procrop.datasets.problems import Problems
        from procrop.evaluation.evaluation_photos import open_photos
        from procrop.evaluation.predictions import read_predictions
        from procrop.evaluation.protocols.iou_disp import IoUDisp

        spec = self.test_sets()[name][0]
        photos = open_photos(parse_spec(spec).read(strict=False), spec, None, None)
        found: dict[str, Any] = {"models": {}}
        for model in self.models:
            problems = Problems()
            read = read_predictions(self.predictions(f"{name} {model}"), problems)
            photos.learn_sizes(read)
            records = photos.with_predictions(read, problems)
            if problems:
                raise ValueError(f"{name}, {model}: {problems.summary()}")
            table = IoUDisp((1, 2, 3)).measure(records)
            columns = dict(zip(table.keys, table.values.T.tolist(), strict=True))
            found["models"][model] = {key: columns[key] for key in KEYS}
            found["floors"] = {f: [table.means()[f + name] for name in ("iou", "disp")] for f in _FLOORS}
            found["sources"] = [record.source_id for record in records]
        return found

    def _seams(self) -> dict[str, Any] | None:
        """Seam probe of each model on unaltered photos, kept once measured."""
        if self.args.flms is None or not self.args.probes:
            return None
        from procrop.evaluation.seam_probe import seam_following
        from procrop.inference.crop_inferencer import CropInferencer
        from procrop.io import read_photo
        from procrop.io.atomic import write_json

        paths = sorted((self.args.flms / "image").iterdir())[: self.args.probes]
        found = {}
        for model in self.models:
            file = self.work(model) / f"seams_{self.args.probes}.json"
            if not file.exists():
                cropper = CropInferencer(self.checkpoint(model), device="cpu")

                def crops(photo: np.ndarray, cropper: CropInferencer = cropper) -> np.ndarray:
                    return next(iter(cropper([photo], top_k=1))).boxes

                photos = ((path.name, read_photo(path)) for path in paths)
                write_json(file, asdict(seam_following(crops, photos, seed=self.seed)))
            found[model] = json.loads(file.read_text())
        return found


_FLOORS = ("full_photo_", "centre_crop_")


def report(results: dict[int, dict]) -> str:
    """The Markdown report of all seeds: figures, paired differences, labels over time, seams."""
    seeds = list(results)
    lines: list[str] = []
    for name in results[seeds[0]]["sets"]:
        lines += [*_figure_lines(name, results), "", *_difference_lines(name, results), ""]
    lines += [*_label_lines(results), ""]
    if results[seeds[0]]["seams"] is not None:
        lines += _seam_lines(results)
    return "\n".join(lines).rstrip()


def _figure_lines(name: str, results: dict[int, dict]) -> Iterator[str]:
    sets = {seed: found["sets"][name] for seed, found in results.items()}
    first = next(iter(sets.values()))
    yield f"| {name}, {len(first['sources'])} photos | seed | " + " | ".join(KEYS) + " |"
    yield "|---" * (len(KEYS) + 2) + "|"
    for model in first["models"]:
        rows = {str(seed): [np.mean(s["models"][model][key]) for key in KEYS] for seed, s in sets.items()}
        rows["mean"] = np.mean(list(rows.values()), axis=0)
        for seed, values in rows.items():
            yield f"| {model} | {seed} | " + " | ".join(f"{value:.4f}" for value in values) + " |"
    for floor, (iou, disp) in first["floors"].items():
        # the same for every N
        cells = " | ".join([f"{iou:.4f}"] * 3 + [f"{disp:.4f}"] * 3)
        yield f"| {floor.rstrip('_').replace('_', ' ')} | – | {cells} |"


def _difference_lines(name: str, results: dict[int, dict]) -> Iterator[str]:
    """Two stages less stage 1 continued, seed by seed, and for the photos' means over the seeds."""
    yield f"| {name}: {TWO} - {ONE} | key | value | 95 % interval | p |"
    yield "|---|---|---|---|---|"
    sets = {seed: found["sets"][name] for seed, found in results.items()}
    units = next(iter(sets.values()))["sources"]
    for key in KEYS:
        pairs = {
            f"seed {seed}": [np.array(s["models"][model][key]) for model in (TWO, ONE)]
            for seed, s in sets.items()
        }
        pairs["mean of the seeds"] = np.mean(list(pairs.values()), axis=0)
        for label, (two, one) in pairs.items():
            found = paired_difference(two, one, units=units)
            interval = f"{found.low:+.4f} to {found.high:+.4f}"
            yield f"| {label} | {key} | {found.value:+.4f} | {interval} | {found.p:.3f} |"


def _label_lines(results: dict[int, dict]) -> Iterator[str]:
    yield "| labels of | seed | version | epoch | a photo | IoU known | pairwise IoU | IoU before |"
    yield "|---|---|---|---|---|---|---|---|"
    for seed, found in results.items():
        for model, rows in found["labels"].items():
            for row in rows:
                share = row["labels"] / max(1, row["photos"])
                values = [row[key] for key in ("iou_known", "pairwise_iou", "iou_before")]
                cells = " | ".join("–" if value is None else f"{value:.3f}" for value in values)
                yield f"| {model} | {seed} | {row['version']} | {row['epoch']} | {share:.2f} | {cells} |"


def _seam_lines(results: dict[int, dict]) -> Iterator[str]:
    yield "| borders that follow a seam, beyond chance | seed | share | 95 % interval | with | without |"
    yield "|---|---|---|---|---|---|"
    for seed, found in results.items():
        for model, seams in found["seams"].items():
            followed = seams["followed"]
            yield (
                f"| {model} | {seed} | {followed['value']:+.4f} | {followed['low']:+.4f} to {followed['high']:+.4f} | "
                f"{seams['with_seam']:.4f} | {seams['without_seam']:.4f} |"
            )

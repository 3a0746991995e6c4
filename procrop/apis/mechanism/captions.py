"""What the captions add: photos of two subjects, of which only the caption tells the one to keep."""

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from procrop.evaluation.bootstrap import paired_difference

from .study import MechanismStudy, seed_rows

# row of the report: (trained model, captions at test)
ROWS = {
    "right captions": ("text", "captions"),
    "swapped captions": ("text", "captions_swapped"),
    "no captions at test": ("text", "none"),
}
TWIN = {"model without text": ("blind", None)}
RIGHT, SWAPPED = list(ROWS)[:2]
WANTED = 0.15  # by which the right captions must beat the swapped ones, with every seed


class CaptionStudy(MechanismStudy):
    """One seed: photos, text folders of right and of swapped captions, two models and their tests.

    Args:
        args: The command line of tools/text_mechanism.py.
        seed: Of photos and trainings.
    """

    def __init__(self, args: Namespace, seed: int) -> None:
        self.args = args
        self.rows = ROWS | TWIN if args.twin else ROWS
        settings = dict(images=args.images, test_images=args.test_images)
        super().__init__(args.out, seed, settings, args.epochs, threads=1)

    def run(self) -> dict[str, Any]:
        """Everything for this seed; returns its figures."""
        self.make_data()
        for model in dict.fromkeys(model for model, _ in self.rows.values()):
            self.train(model)
        for name, (model, captions) in self.rows.items():
            self.test(name, model, captions)
        return self.figures()

    def make_data(self) -> None:
        """Photos, and the text folders."""
        train, test = self.args.images, self.args.test_images
        count = (
            train + test + 6
        )  # the few between are validated at the end of a training, to see that it works
        shares = ",".join(repr(number / count) for number in (train, 6, test))
        paired = ["--two-subjects", "--images", count, "--splits", shares, "--size", "256x192"]
        self.call("make_toy_dataset.py", self.data, *paired, "--seed", self.seed, "--workers", 1)
        for captions in ("captions", "captions_swapped"):
            self.build_text(captions)

    def build_text(self, captions: str) -> None:
        """Tokens of a file of captions, for all photos."""
        given = ["--captions", self.data / f"{captions}.jsonl"]
        options = self.options("text", captions)
        self.call("text.py", "build", self.config("text"), *given, "--cfg-options", *options)

    def text(self, captions: str) -> Path:
        """Text folder of a file of captions."""
        return self.data / f"text_{captions}"

    def config(self, model: str) -> str:
        return f"configs/mechanism/two_subjects{'_blind' if model == 'blind' else ''}.py"

    def dataset_options(self, model: str, context: str | None) -> dict[str, object]:
        """The context is the name of a file of captions, or "none"."""
        if model == "blind":
            return {}
        if context == "none":
            return {"text": None}
        return {"text.folder": self.text(context or "captions")}

    def figures(self) -> dict[str, Any]:
        """IoU of the top-1 crop with the best crop of the right subject and of the other one, for each row."""
        ceiling = np.mean([scene["blind_iou"] for scene in self.test_scenes()])
        result: dict[str, Any] = {"blind ceiling": dict(iou=float(ceiling))}
        pairs = {name: self.overlaps(name, "best", "best_other") for name in self.rows}
        for name, both in pairs.items():
            own, other = both.mean(axis=0).tolist()
            result[name] = dict(
                iou=own, iou_other=other, nearer_other=float(np.mean(both[:, 1] > both[:, 0]))
            )
        change = paired_difference(pairs[RIGHT][:, 0], pairs[SWAPPED][:, 0], seed=self.seed)
        result["difference"] = asdict(change)
        result["photos"] = len(pairs[RIGHT])
        return result

    def draw_sheet(self, path: Path, rows: int = 12) -> None:
        """Draw the first test photos with both captions and the crops that they lead to.

        Args:
            path: The picture, a .png.
            rows: Number of photos.
        """
        from procrop.io import read_photo
        from procrop.visualization.model_sheet import ModelCrops, ModelRow, ModelSheet

        spoken = {name: self._captions(ROWS[name][1]) for name in (RIGHT, SWAPPED)}
        crops = {name: self.top_crops(name) for name in spoken}
        overlaps = {name: self.overlaps(name, "best", "best_other") for name in spoken}
        names = [f"crop, {name}" for name in spoken]
        with ModelSheet(path, names, heading="One photo, two captions", detail=f"seed {self.seed}") as sheet:
            for i, scene in enumerate(self.test_scenes()[:rows]):
                shown = []
                for column, name in enumerate(spoken):
                    note = f"“{spoken[name][scene['id']]}”  IoU {overlaps[name][i, column]:.2f}"
                    shown.append(ModelCrops(crops[name][i : i + 1], note))
                photo = read_photo(self.data / "images" / "test" / f"{scene['id']}.jpg")
                both = np.array([scene["best"], scene["best_other"]], np.float64)
                sheet.add(
                    ModelRow(
                        scene["id"],
                        photo,
                        annotated=both[1:],
                        best=both[0],
                        subject=np.array(scene["subject"]),
                        note=f"{scene['kind']} on the {scene['side']}, beside it: {scene['other_kind']}",
                        models=shown,
                    )
                )

    def _captions(self, name: str) -> dict[str, str]:
        lines = (self.data / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        return {row["id"]: row["caption"] for row in map(json.loads, lines)}


def report(results: dict[int, dict]) -> str:
    """The Markdown tables of all seeds: figures, and the difference with its interval."""
    seeds = list(results)
    names = [name for name in ("blind ceiling", *ROWS, *TWIN) if all(name in results[s] for s in seeds)]
    rows = [(name, [results[s][name]["iou"] for s in seeds]) for name in names]
    extra = [("IoU with the other subject's best crop", "iou_other"), ("share nearer to it", "nearer_other")]
    rows += [(f"{SWAPPED}: {name}", [results[s][SWAPPED][key] for s in seeds]) for name, key in extra]
    photos = results[seeds[0]]["photos"]
    lines = seed_rows(f"IoU of the top-1 crop, {photos} unseen photos", rows, seeds)
    lines += ["", f"| right - swapped captions | value | 95 % interval | wanted: >= {WANTED:.2f} |"]
    lines.append("|---|---|---|---|")
    for seed in seeds:
        found, met = results[seed]["difference"], "met" if is_met(results[seed]) else "missed"
        interval = f"{found['low']:.3f} to {found['high']:.3f}"
        lines.append(f"| seed {seed} | {found['value']:.3f} | {interval} | {met} |")
    return "\n".join(lines)


def is_met(figures: dict[str, Any]) -> bool:
    """Whether a seed's right captions beat its swapped ones by as much as is wanted."""
    return figures["difference"]["value"] >= WANTED

"""What the references add: hidden-style photos, whose best crop only the references tell."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from .study import MechanismStudy, seed_rows

# row of the report: (trained model, table at test)
ROWS = {
    "without references": ("blind", None),
    "random references, training and test (capacity control)": ("random", "random"),
    "retrieved references": ("retrieved", "retrieved"),
    "oracle same-family references": ("retrieved", "oracle"),
    "neighbour table shuffled at test": ("retrieved", "shuffled"),
    "opposite-style references": ("retrieved", "opposite"),
}


class ReferenceStudy(MechanismStudy):
    """One seed: photos, gallery, tables of references, three models and their tests.

    Args:
        args: The command line of tools/mechanism.py.
        seed: Of photos and trainings.
    """

    def __init__(self, args: Namespace, seed: int) -> None:
        self.args = args
        settings = dict(families=args.families, test_families=args.test_families, model=args.model)
        super().__init__(args.out, seed, settings, args.epochs, threads=1 if args.jobs > 1 else None)

    def run(self) -> dict[str, Any]:
        """Everything for this seed; returns its figures."""
        self.make_data()
        self.make_tables()
        for model in ("blind", "random", "retrieved"):
            self.train(model)
        for name, (model, table) in ROWS.items():
            self.test(name, model, table)
        return self.figures()

    def make_data(self) -> None:
        """Photos, gallery, and the table of retrieved neighbours."""
        a = self.args
        styled = ["--hidden-style", "--families", a.families, "--test-families", a.test_families]
        self.call("make_toy_dataset.py", self.data, *styled, "--size", "256x192", "--seed", self.seed)
        index = self.data / "gallery_index"
        retrieval = "configs/_base_/retrieval/efficientnet_lite0.py"
        self.call("gallery.py", "build", index, "--photos", self.data / "gallery", "--retrieval", retrieval)
        if not (self.data / "neighbours.npz").exists():
            self.call(
                "neighbours.py",
                self.config("retrieved"),
                "--k",
                10,
                "--cfg-options",
                *self.options("retrieved"),
            )

    def make_tables(self) -> None:
        """The control tables, and the share of same-family photos among the neighbours."""
        if (self.folder / "retrieval.json").exists():
            return
        from procrop.io import read_photo
        from procrop.io.atomic import write_json
        from procrop.retrieval.controls import random_table, restricted_table, shuffled_table
        from procrop.retrieval.gallery import Gallery
        from procrop.retrieval.neighbour_table import NeighbourTable

        gallery = Gallery.open(self.data / "gallery_index")
        table = NeighbourTable.open(self.data / "neighbours.npz", gallery)
        scenes = self.scenes()
        shown = [scenes[Path(name).stem] for name in gallery.names]
        families, styles = (np.array([s[key] for s in shown]) for key in ("family", "style"))
        paths = [self.data / "images" / scenes[q]["split"] / f"{q}.jpg" for q in table.query_ids]
        keys = gallery.query_keys([gallery.backbone().prepare(read_photo(p)) for p in paths])
        test = [q for q in table.query_ids if scenes[q]["split"] == "test"]

        def same_family(q: str) -> np.ndarray:
            return np.flatnonzero(families == scenes[q]["family"])

        def opposite(q: str) -> np.ndarray:
            return np.flatnonzero(styles != scenes[q]["style"])

        few = np.unique(families[np.isin(families, [scenes[q]["family"] for q in test])])[:50]
        small = restricted_table(table, gallery, keys, lambda q: np.flatnonzero(np.isin(families, few)))
        share = {}
        for name, t in (("all", table), ("at most 50", small)):
            hits = [
                np.mean(families[t.lookup(q, 10)[0]] == scenes[q]["family"])
                for q in test
                if scenes[q]["family"] in few or name == "all"
            ]
            share[name] = float(np.mean(hits))
        random_table(table, gallery, keys, self.seed).save(self.folder / "random.npz")
        shuffled_table(table, test, self.seed).save(self.folder / "shuffled.npz")
        restricted_table(table, gallery, keys, same_family).save(self.folder / "oracle.npz")
        restricted_table(table, gallery, keys, opposite).save(self.folder / "opposite.npz")
        counts = {"all": len(np.unique(families)), "at most 50": len(few)}
        write_json(self.folder / "retrieval.json", dict(share=share, families=counts, photos=len(gallery)))

    def config(self, model: str) -> str:
        return f"configs/mechanism/{self.args.model}{'_blind' if model == 'blind' else ''}.py"

    def dataset_options(self, model: str, context: str | None) -> dict[str, object]:
        """The context is the name of a neighbour table."""
        if model == "blind":
            return {}
        table = self.table(context or model)
        return {"references.gallery": self.data / "gallery_index", "references.table": table}

    def table(self, name: str) -> Path:
        """File of a neighbour table."""
        return self.data / "neighbours.npz" if name == "retrieved" else self.folder / f"{name}.npz"

    def figures(self) -> dict[str, Any]:
        """IoU of the top-1 crop with the best crop, and with the best crop of the opposite style, for each row."""
        ceiling = np.mean([scene["blind_iou"] for scene in self.test_scenes()])
        result: dict[str, Any] = {"blind ceiling": dict(iou=float(ceiling))}
        for name in ROWS:
            pairs = self.overlaps(name, "best", "best_opposite")
            own, other = pairs.mean(axis=0).tolist()
            moved = float(np.mean(pairs[:, 1] > pairs[:, 0]))
            result[name] = dict(iou=own, iou_opposite=other, nearer_opposite=moved)
        result["retrieval"] = json.loads((self.folder / "retrieval.json").read_text())
        return result


def report(results: dict[int, dict]) -> str:
    """The Markdown table of all seeds, and the targets."""
    seeds = list(results)

    def figures(*keys: str) -> list[float]:
        return [_pick(results[seed], keys) for seed in seeds]

    opposite = "opposite-style references"
    rows = [(name, figures(name, "iou")) for name in ("blind ceiling", *ROWS)]
    rows.append((f"{opposite}: IoU with the opposite style's best crop", figures(opposite, "iou_opposite")))
    rows.append((f"{opposite}: share of crops moved to that style", figures(opposite, "nearer_opposite")))
    for key in ("all", "at most 50"):
        count = results[seeds[0]]["retrieval"]["families"][key]
        name = f"same-family share of the top 10, gallery of {count} families"
        rows.append((name, figures("retrieval", "share", key)))
    lines = seed_rows("IoU of the top-1 crop, unseen families", rows, seeds)
    lines += ["", "| target (means) | value | wanted | |", "|---|---|---|---|"]
    for name, value, met, wanted in targets(results):
        lines.append(f"| {name} | {value:.3f} | {wanted} | {'met' if met else 'missed'} |")
    return "\n".join(lines)


def _pick(figures: dict, keys: tuple[str, ...]) -> float:
    for key in keys:
        figures = figures[key]
    return figures


def targets(results: dict[int, dict]) -> list[tuple[str, float, bool, str]]:
    """What the figures must show to say that retrieval works: (name, mean over the seeds, met, wanted)."""

    def mean(*keys: str) -> float:
        return float(np.mean([_pick(figures, keys) for figures in results.values()]))

    def at_least(name: str, value: float, bound: float) -> tuple[str, float, bool, str]:
        return name, value, value >= bound, f">= {bound:.2f}"

    twin, retrieved = mean("without references", "iou"), mean("retrieved references", "iou")
    apart = abs(mean("neighbour table shuffled at test", "iou") - twin)
    opposite = "opposite-style references"
    return [
        at_least("retrieved - twin", retrieved - twin, 0.10),
        at_least("retrieved - blind ceiling", retrieved - mean("blind ceiling", "iou"), 0.05),
        ("shuffled - twin, either way", apart, apart <= 0.06, "<= 0.06"),
        at_least(
            "opposite style: IoU with its own best crop - with the photo's",
            mean(opposite, "iou_opposite") - mean(opposite, "iou"),
            0.10,
        ),
        at_least("opposite style: share of crops moved to it", mean(opposite, "nearer_opposite"), 0.80),
        at_least("same-family share of the top 10", mean("retrieval", "share", "all"), 0.80),
        at_least("same-family share, 50 families or fewer", mean("retrieval", "share", "at most 50"), 0.90),
    ]

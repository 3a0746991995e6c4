#!/usr/bin/env python
"""Does retrieval do what it is for? Hidden-style photos, whose best crop only the references tell.

    python tools/mechanism.py [--out work_dirs/mechanism] [--seeds 0 1 2] [--families 200] [--jobs 2] [--model NAME]

For each seed: draws the photos, builds the gallery and the neighbour table, trains three models (without references,
with random ones, with retrieved ones) through tools/train.py, and tests them on unseen families with several
reference tables. All figures are the IoU of the top-1 crop with the best crop. What is finished is not done again.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# row of the report: (trained model, table at test)
ROWS = {
    "without references": ("blind", None),
    "random references, training and test (capacity control)": ("random", "random"),
    "retrieved references": ("retrieved", "retrieved"),
    "oracle same-family references": ("retrieved", "oracle"),
    "neighbour table shuffled at test": ("retrieved", "shuffled"),
    "opposite-style references": ("retrieved", "opposite"),
}


def parse_args() -> argparse.Namespace:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("work_dirs/mechanism"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--families", type=int, default=200, help="training families (default 200)")
    parser.add_argument("--test-families", type=int, default=50, help="unseen families (default 50)")
    parser.add_argument(
        "--jobs", type=int, default=2, help="seeds at work at once, one thread each (default 2)"
    )
    parser.add_argument(
        "--model",
        choices=["hidden_style", "gaic_hidden_style"],
        default="hidden_style",
        help="configs/mechanism/<model>.py and its blind twin: the DETR head (default), or the anchor-based head",
    )
    parser.add_argument("--epochs", type=int, help="shorter or longer training than the config's")
    return parser.parse_args()


class Study:
    """One seed of the experiment, in its own folder."""

    def __init__(self, args: argparse.Namespace, seed: int) -> None:
        self.args, self.seed = args, seed
        self.folder = (args.out / f"seed{seed}").resolve()
        self.data = self.folder / "data"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.claim()

    def claim(self) -> None:
        """Note what the figures of this folder are made with; refuse a folder of other settings.

        Raises:
            SystemExit: The folder holds results of other arguments or configs, which must not be taken for these.
        """
        a, digest = self.args, hashlib.sha256()
        for path in sorted((ROOT / "configs").rglob("*.py")):
            digest.update(path.read_bytes())
        settings = dict(families=a.families, test_families=a.test_families, epochs=a.epochs, seed=self.seed)
        settings |= dict(configs=digest.hexdigest(), model=a.model)
        record = self.folder / "settings.json"
        if record.exists() and json.loads(record.read_text()) != settings:
            raise SystemExit(
                f"{self.folder}: holds results of other arguments or configs; name another folder: --out DIR"
            )
        record.write_text(json.dumps(settings, indent=1) + "\n")

    def run(self) -> dict:
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
            config = f"configs/mechanism/{a.model}.py"
            self.call("neighbours.py", config, "--k", 10, "--cfg-options", *self.options("retrieved"))

    def make_tables(self) -> None:
        """The control tables, and the share of same-family photos among the neighbours."""
        if (self.folder / "retrieval.json").exists():
            return
        import numpy as np

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

    def options(self, model: str, table: str | None = None) -> list[str]:
        """Config overrides that point a config at this seed's data and one of its tables."""
        out = []
        for loader in ("train", "val", "test"):
            at = f"{loader}_dataloader.dataset"
            out.append(f"{at}.data_root={self.data}")
            if model != "blind":
                out.append(f"{at}.references.gallery={self.data / 'gallery_index'}")
                out.append(f"{at}.references.table={self.table(table or model)}")
        if self.args.epochs:
            out.append(f"train_cfg.max_epochs={self.args.epochs}")
        return out

    def table(self, name: str) -> Path:
        """File of a neighbour table."""
        return self.data / "neighbours.npz" if name == "retrieved" else self.folder / f"{name}.npz"

    def train(self, model: str) -> None:
        """Train one model; an interrupted training is resumed."""
        work = self.folder / model
        if (work / "trained").exists():
            return
        config = f"configs/mechanism/{self.args.model}{'_blind' if model == 'blind' else ''}.py"
        args = ["--work-dir", work, "--seed", self.seed, "--resume", "auto"]
        self.call("train.py", config, *args, "--cfg-options", *self.options(model))
        (work / "trained").touch()

    def test(self, name: str, model: str, table: str | None) -> None:
        """Predict the unseen families."""
        dump = self.predictions(name)
        if dump.exists():
            return
        work = self.folder / model
        checkpoint = (work / "last_checkpoint").read_text().strip()
        args = [checkpoint, "--work-dir", work / "test", "--dump", dump]
        self.call("test.py", *args, "--cfg-options", *self.options(model, table))

    def predictions(self, name: str) -> Path:
        """Where a row's predictions lie."""
        return self.folder / f"predictions_{name.split(',')[0].replace(' ', '_')}.jsonl"

    def figures(self) -> dict:
        """IoU of the top-1 crop with the best crop, and with the best crop of the opposite style, for each row."""
        import numpy as np

        from procrop.structures.boxes import box_iou

        scenes = self.scenes()
        test = [s for s in scenes.values() if s["split"] == "test"]
        result = {"blind ceiling": dict(iou=float(np.mean([s["blind_iou"] for s in test])))}
        for name in ROWS:
            rows = [json.loads(line) for line in self.predictions(name).read_text().splitlines()]
            assert len(rows) == len(test), (name, len(rows), len(test))
            pairs = []
            for row in rows:
                scene = scenes[row["img_id"]]
                both = np.array([scene["best"], scene["best_opposite"]], float)
                pairs.append(box_iou(np.array(row["boxes"][:1]), both)[0])
            own, other = np.mean(pairs, axis=0)
            moved = float(np.mean([p[1] > p[0] for p in pairs]))
            result[name] = dict(iou=float(own), iou_opposite=float(other), nearer_opposite=moved)
        result["retrieval"] = json.loads((self.folder / "retrieval.json").read_text())
        return result

    def scenes(self) -> dict[str, dict]:
        """What is known of each photo, by id."""
        lines = (self.data / "scenes.jsonl").read_text().splitlines()
        return {scene["id"]: scene for scene in map(json.loads, lines)}

    def call(self, tool: str, *args: object) -> None:
        """Run a tool as a user would; its output goes to this seed's log, the step's name to the screen."""
        import os

        command = [sys.executable, str(ROOT / "tools" / tool), *map(str, args)]
        print(f"[seed {self.seed}] {tool} {' '.join(map(str, args[:2]))}", flush=True)
        env = os.environ | dict(OMP_NUM_THREADS="1") if self.args.jobs > 1 else None
        with open(self.folder / "log.txt", "a") as log:
            done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=env)
        if done.returncode:
            tail = (self.folder / "log.txt").read_text().splitlines()[-5:]
            raise SystemExit("\n".join([f"{tool} failed; the end of {self.folder / 'log.txt'}:", *tail]))


def report(results: dict[int, dict]) -> str:
    """The Markdown table of all seeds, and the targets."""
    import numpy as np

    seeds = list(results)
    lines = [
        "| IoU of the top-1 crop, unseen families | " + " | ".join(f"seed {s}" for s in seeds) + " | mean |"
    ]
    lines.append("|---" * (len(seeds) + 2) + "|")

    def row(name: str, values: list[float]) -> None:
        lines.append(
            f"| {name} | " + " | ".join(f"{v:.3f}" for v in [*values, float(np.mean(values))]) + " |"
        )

    for name in ("blind ceiling", *ROWS):
        row(name, [results[s][name]["iou"] for s in seeds])
    name = "opposite-style references"
    row(f"{name}: IoU with the opposite style's best crop", [results[s][name]["iou_opposite"] for s in seeds])
    row(f"{name}: share of crops moved to that style", [results[s][name]["nearer_opposite"] for s in seeds])
    for key in ("all", "at most 50"):
        count = results[seeds[0]]["retrieval"]["families"][key]
        name = f"same-family share of the top 10, gallery of {count} families"
        row(name, [results[s]["retrieval"]["share"][key] for s in seeds])

    lines += ["", "| target (means) | value | wanted | |", "|---|---|---|---|"]
    for name, value, met, wanted in targets(results):
        lines.append(f"| {name} | {value:.3f} | {wanted} | {'met' if met else 'missed'} |")
    return "\n".join(lines)


def targets(results: dict[int, dict]) -> list[tuple[str, float, bool, str]]:
    """What the figures must show to say that retrieval works: (name, mean over the seeds, met, wanted)."""
    import numpy as np

    def mean(*keys: str) -> float:
        def pick(figures: dict) -> float:
            for key in keys:
                figures = figures[key]
            return figures

        return float(np.mean([pick(figures) for figures in results.values()]))

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


def main() -> None:
    """Run all seeds and write report.md and results.json."""
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(args.jobs) as pool:
        results = dict(zip(args.seeds, pool.map(lambda s: Study(args, s).run(), args.seeds), strict=True))
    text = report(results)
    (args.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (args.out / "report.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()

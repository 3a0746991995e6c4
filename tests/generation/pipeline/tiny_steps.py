"""Steps that take no time, photos that take no room, and folders that can be compared."""

import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

from procrop.generation import CADItem, CanvasPlan, CompositionAnalysis, DropItem, GenerationStep, WithinImage
from procrop.generation.settings import GenerationSettings
from procrop.io import sha256_json
from procrop.registry import GENERATION_STEPS

SIZE = (48, 32)


class TinyStep(GenerationStep):
    """Notes each run as a line of ``log``; another ``version`` is another fingerprint."""

    def __init__(self, version=0, log=None):
        self.version, self.log = version, log

    @property
    def fingerprint(self):
        return sha256_json([type(self).__name__, self.version])

    def note(self, item):
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{type(self).__name__} {item.source_id} {item.variant}\n")


@GENERATION_STEPS.register_module()
class TinyAnalyzer(TinyStep):
    makes, per_source, kept = ("analysis",), True, True

    def run(self, item, rng):
        self.note(item)
        within = WithinImage(("a thing",), "a thing", (0.25, 0.25, 0.75, 0.5), "diagonal")
        return item.with_(analysis=CompositionAnalysis(f"{item.source_id} {rng.integers(1000)}", within))


@GENERATION_STEPS.register_module()
class TinyMasks(TinyStep):
    """Draws nothing at random."""

    makes, per_source, kept = ("masks",), True, True

    def run(self, item, rng):
        self.note(item)
        return item.with_(masks=(item.photo[None, :, :, 0] > 127).astype(np.uint16))


@GENERATION_STEPS.register_module()
class TinyComposition(TinyStep):
    makes, per_source = ("composition",), True

    def run(self, item, rng):
        return item.with_(composition="centre" if item.photo[0, 0, 0] > 127 else "diagonal")


@GENERATION_STEPS.register_module()
class TinyCanvas(TinyStep):
    makes, needs = ("canvas",), ("photo",)

    def run(self, item, rng):
        height, width = item.photo.shape[:2]
        left, top = (int(value) for value in rng.integers(0, 20, 2))
        return item.with_(canvas=CanvasPlan(width + 20, height + 20, (left, top, left + width, top + height)))


@GENERATION_STEPS.register_module()
class TinyPainter(TinyStep):
    makes, needs, kept, stand_in = ("image",), ("photo", "canvas", "analysis", "masks"), True, True

    def __init__(self, version=0, log=None, seconds=0.0):
        super().__init__(version, log)
        self.seconds = seconds

    def run(self, item, rng):
        self.note(item)
        time.sleep(self.seconds)
        plan = item.canvas
        image = rng.integers(0, 256, (plan.height, plan.width, 3), dtype=np.uint8)
        x1, y1, x2, y2 = plan.known
        image[y1:y2, x1:x2] = item.photo
        return item.with_(image=image)


@GENERATION_STEPS.register_module()
class TinyFilter(TinyStep):
    """Drops expansions whose number is in ``drop``, and all of photos whose name begins with "bad"."""

    makes, needs = ("quality",), ("image",)

    def __init__(self, version=0, log=None, drop=()):
        super().__init__(version, log)
        self.drop = tuple(drop)

    @property
    def fingerprint(self):
        return sha256_json([type(self).__name__, self.version, self.drop])

    def run(self, item, rng):
        if item.variant in self.drop or item.source_id.startswith("bad"):
            raise DropItem(f"figure {item.variant + 0.5} is too small")
        return item.with_(quality={"figure": float(item.image.mean())})


STEPS = (
    "TinyAnalyzer",
    "TinyMasks",
    "TinyComposition",
    "TinyCanvas",
    "TinyPainter",
    "TinyFilter",
    "RandomCrops",
)


def draw_photos(root: Path, names, credits=True):
    """Photos of noise with these names (no suffix), and a file that says whose they are."""
    lines = []
    for number, name in enumerate(names):
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        credit = {"file": f"{name}.png", "licence": "CC0-1.0" if number % 2 else "CC BY-SA 3.0"}
        lines.append(json.dumps(credit | {"title": f"No. {number}", "author": "A. Painter", "more": 1}))
    if credits:
        (root / "manifest.jsonl").write_text("\n".join(lines))
    return root


def settings(photos: Path, *, steps=STEPS, changes=None, **values) -> GenerationSettings:
    """Three expansions of each photo of a folder; ``changes`` are arguments of steps by type."""
    source = dict(type="FolderSource", root=str(photos), credits="manifest.jsonl")
    configs = [dict(type=name, **(changes or {}).get(name, {})) for name in steps]
    return GenerationSettings.from_config(dict(source=source, steps=configs, **values), ["tiny_steps"])


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a folder, by name."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def rows(root: Path) -> list[dict]:
    """Lines of annotations.jsonl."""
    return [json.loads(line) for line in (root / "annotations.jsonl").read_text().splitlines()]


def item(name="a", variant=0, **fields) -> CADItem:
    """An item with some fields."""
    return CADItem(name, variant, f"{name}.png", **fields)

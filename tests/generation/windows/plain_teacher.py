"""A teacher that takes no time, photos for it, and folders that can be compared."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from procrop.generation.curation.consensus_crops import ConsensusCrops
from procrop.generation.windows import WindowSettings
from procrop.registry import MODELS


@MODELS.register_module()
class PlainTeacher:
    """Sees a subject wherever the photo is red; crops are shares of the photo, less its mean red and its source's name.

    ``stop_after`` photos it fails, as a run does that is killed.
    """

    count = 2

    def __init__(self, version: int = 0, stop_after: int | None = None) -> None:
        self.fingerprint, self.left = f"plain {version}", stop_after

    def subject_map(self, photo: np.ndarray) -> np.ndarray:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return np.maximum(photo[..., 0].astype(float) - 100, 0)

    def __call__(self, photo: np.ndarray, source_id: str) -> ConsensusCrops:
        inset = float(photo[..., 0].mean()) / 2550
        boxes = np.array([[inset, 0, 1, 1], [0, 0.25, 1 - len(source_id) / 100, 0.75]])
        return ConsensusCrops(boxes, np.array([0.9, 0.8]))


def settings(**changes) -> WindowSettings:
    return WindowSettings(
        **(dict(windows=3, teacher=dict(type="PlainTeacher"), imports=["plain_teacher"]) | changes)
    )


def draw_photos(folder: Path, authors: dict[str, str | None]) -> Path:
    """Photos of 160 x 120 with a red patch, and a manifest with their authors."""
    lines = []
    for number, (name, author) in enumerate(authors.items()):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 90, (120, 160, 3), dtype=np.uint8)
        x, y = rng.integers(20, 90), rng.integers(20, 60)
        pixels[y : y + 40, x : x + 50, 0] = 230
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        lines.append(json.dumps({"file": f"{name}.png", "author": author, "licence": "CC0-1.0"}))
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def lines_of(folder: Path) -> dict[str, dict]:
    """Lines of a dataset by the photo's name."""
    text = (folder / "annotations.jsonl").read_text(encoding="utf-8")
    return {line["photo"]: line for line in map(json.loads, text.splitlines())}

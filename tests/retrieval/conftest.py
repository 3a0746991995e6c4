"""Photos and a quick encoder for retrieval tests."""

from pathlib import Path

import numpy as np
import pytest
from colour_backbone import ColourBackbone
from PIL import Image


def draw_photos(folder: Path, number: int, seed: int = 0) -> Path:
    """Write ``number`` photos of four random colour fields each, as lossless PNG."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(number):
        colours = rng.integers(20, 236, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(colours.repeat(8, 0).repeat(10, 1)).save(folder / f"p{i:03d}.png")
    return folder


@pytest.fixture
def photos(tmp_path) -> Path:
    return draw_photos(tmp_path / "photos", 20)


@pytest.fixture
def retrieval() -> dict:
    return dict(backbone=dict(type=ColourBackbone.__name__), key_transform=dict(type="Normalise"))

"""A small dataset in GAICD's layout, made of random photos."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

LINES = ["10 20 50 70 4.5", "0 0 60 80 2.0", "5 5 40 60 4.0", "8 8 44 66 -2"]


def _write_sample(root, split, img_id, lines=LINES, size=(80, 60), flat=False, suffix=".png", seed=0):
    """Write one photo and its annotation file; returns both paths."""
    photo = Path(root, "images", split, f"{img_id}{suffix}")
    file = Path(root, "annotations", *([] if flat else [split]), f"{img_id}.txt")
    for path in (photo, file):
        path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photo)
    if isinstance(lines, bytes):
        file.write_bytes(lines)
    else:
        file.write_text("".join(f"{line}\n" for line in lines))
    return photo, file


@pytest.fixture
def write_sample():
    """The function that writes one photo and its annotation file in GAICD's layout."""
    return _write_sample


@pytest.fixture
def gaic_root(tmp_path):
    """Folder with 5 training photos of different size, "0" to "4", in the layout of version 2."""
    for number in range(5):
        _write_sample(tmp_path, "train", str(number), size=(80 + 8 * number, 60), seed=number)
    return tmp_path


@pytest.fixture
def procrop_scope():
    """Names in a config mean the project's own classes, as in every config it ships."""
    with DefaultScope.overwrite_default_scope("procrop"):
        yield

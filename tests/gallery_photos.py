"""Generated photos for galleries."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_gallery_photos(folder: Path, count: int = 12) -> list[Path]:
    """Write smooth colour fields of 96 x 72 pixels, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    paths = [folder / f"p{number:02d}.png" for number in range(count)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize((96, 72), Image.Resampling.BICUBIC).save(path)
    return paths

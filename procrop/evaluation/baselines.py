"""Answers that need no model: the whole photo, a centred crop, a random ranking of the GAIC grid."""

import zlib
from collections.abc import Callable, Mapping

import numpy as np

from procrop.evaluation.functional.floors import centre_crop, full_photo
from procrop.evaluation.predictions import Prediction
from procrop.structures.grid_anchors import gaic_grid_anchors

Size = tuple[int, int]


def _random_grid(img_id: str, size: Size, seed: int) -> np.ndarray:
    grid = gaic_grid_anchors(*size, rule="all")
    name = zlib.crc32(img_id.encode("utf-8", "surrogateescape"))
    return grid[np.random.default_rng((seed, name)).permutation(len(grid))]


#: name -> boxes (P, 4), best first, of (img_id, size, seed)
BASELINES: dict[str, Callable[[str, Size, int], np.ndarray]] = {
    "full_photo": lambda img_id, size, seed: full_photo(size),
    "centre": lambda img_id, size, seed: centre_crop(size),
    # shares of both sides
    "centre_80": lambda img_id, size, seed: centre_crop(size, 0.8),
    "centre_90": lambda img_id, size, seed: centre_crop(size, 0.9),
    # shares of the area
    "centre_80_area": lambda img_id, size, seed: centre_crop(size, 0.8**0.5),
    "centre_90_area": lambda img_id, size, seed: centre_crop(size, 0.9**0.5),
    "random": _random_grid,
}


def baseline_predictions(name: str, sizes: Mapping[str, Size], seed: int = 0) -> dict[str, Prediction]:
    """Predictions of a baseline.

    Args:
        name: One of BASELINES.
        sizes: (width, height) of each photo by img_id.
        seed: Of the random ranking, joined with the photo's name.

    Returns:
        Predictions by img_id.
    """
    found = {}
    for img_id, size in sizes.items():
        boxes = BASELINES[name](img_id, size, seed)
        found[img_id] = Prediction(f"baseline {name}", size, boxes, -np.arange(len(boxes), dtype=np.float64))
    return found

"""Records of made-up photos with what real ones have: ties, few crops, few predictions, no positives."""

import numpy as np

from procrop.evaluation.photo_record import PhotoRecord, make_photo_record
from procrop.structures import gaic_grid_anchors


def record(seed: int, most: int = 40) -> PhotoRecord:
    """A photo of 1 to ``most`` crops and 0 to 14 predictions, some of them crops and some of them outside the photo."""
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(300, 1000, 2).tolist())
    grid = gaic_grid_anchors(*size, rule="all", round_to_pixels=True)
    boxes = grid[rng.permutation(90)[: rng.integers(1, most + 1)]]
    mos = rng.integers(4, 12, len(boxes)) / 2.0
    count = int(rng.integers(0, 15))
    pred = grid[rng.integers(0, 90, count)] + rng.integers(-1, 2, (count, 4)) * rng.integers(
        0, 60, (count, 4)
    )
    scores = rng.integers(0, 6, count) / 5.0
    candidate_scores = rng.integers(0, 9, len(boxes)) / 4.0
    if seed % 7 == 3:
        candidate_scores[rng.integers(0, len(boxes))] = np.nan
    if seed % 11 == 5:
        mos[:] = 3.0
    return make_photo_record(
        f"photo{seed}",
        size,
        boxes,
        mos,
        mos >= 5.0,
        pred,
        scores,
        candidate_scores,
        source_id=f"source{seed // 2}",
    )


def records(count: int = 60, most: int = 40) -> list[PhotoRecord]:
    """So many of them, with one photo without any annotated crop among them."""
    found = [record(seed, most) for seed in range(count)]
    found[min(4, count - 1)] = make_photo_record(
        "empty", (10, 10), np.zeros((0, 4)), np.zeros(0), np.zeros(0, bool)
    )
    return found

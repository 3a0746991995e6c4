"""Which crops are positive: threshold, fallback and suppression of near-copies."""

import numpy as np
import torch
from torchvision.ops import nms

from procrop.datasets import select_positives


def test_threshold_and_fallback():
    scores = np.array([4.0, 3.9, 5.0])
    assert select_positives(scores, 4.0).tolist() == [True, False, True]
    assert select_positives(np.array([3.0, 2.0, 3.0]), 4.0).tolist() == [True, False, True]  # tied at the top
    assert select_positives(np.array([3.0, 2.0]), 4.0, fallback=False).tolist() == [False, False]
    assert select_positives(np.zeros(0), 4.0).shape == (0,)


def test_suppression_equals_torchvision():
    rng, dropped = np.random.default_rng(0), 0
    for _ in range(20):
        corners = rng.uniform(0, 60, (24, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(20, 60, (24, 2))], axis=1)
        scores = rng.permutation(24) / 6.0
        found = np.flatnonzero(select_positives(scores, 2.0, True, boxes, 0.5))
        good = np.flatnonzero(scores >= 2.0)
        kept = nms(torch.tensor(boxes[good]), torch.tensor(scores[good]), 0.5).numpy()
        assert found.tolist() == sorted(good[kept].tolist())
        dropped += len(good) - len(found)
    assert dropped > 20

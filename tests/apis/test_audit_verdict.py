"""The rules by which an audit says what its intervals tell."""

import numpy as np
import pytest

from procrop.apis.retrieval_audit import compare_conditions, verdict
from procrop.apis.retrieval_audit.comparison import Comparison, Difference


def gains(shuffled, random, none, twin=None):
    """A comparison with these gains, each with an interval of +- 0.1."""
    wanted = dict(shuffled=shuffled, random=random, none=none, twin=twin)
    differences = {
        kind: Difference(gain, gain - 0.1, gain + 0.1, 0.5)
        for kind, gain in wanted.items()
        if gain is not None
    }
    return Comparison("crop_best/iou@1", 9, {}, differences)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (
            (0.2, 0.3, 0.2),
            "The model uses what is retrieved: +0.2000 [+0.1000, +0.3000] over another photo's",
        ),
        ((0.2, 0.3, 0.05), "which ones matters, but they are not told apart from none"),
        ((0.2, 0.3, -0.2), "which ones matters, but it crops better without any"),
        (
            (0.2, 0.05, 0.2),
            "Undecided: retrieved references are better than another photo's, but not told apart",
        ),
        ((0.2, -0.2, 0.2), "Retrieved references are worse than random ones: -0.2000"),
        (
            (0.0, 0.05, 0.2),
            "References help, but which ones does not matter (no effect above 0.1500): +0.2000",
        ),
        ((0.0, 0.05, -0.2), "References harm, but which ones does not matter"),
        ((0.0, 0.05, -0.09), "No effect of the references above 0.1900 in crop_best/iou@1"),
        ((0.2, 0.3, 0.2, 0.2), "It is ahead of the model trained without references, by +0.2000"),
        ((0.2, 0.3, 0.2, 0.0), "Yet it is not told apart from the model trained without references"),
        ((0.2, 0.3, 0.2, -0.2), "Yet the model trained without references is better: -0.2000"),
    ],
)
def test_the_rules_of_the_verdict(figures, words):
    assert words in verdict(gains(*figures))


def test_records_of_one_photo_are_no_independent_observations():
    photos = np.random.default_rng(0).normal(0.1, 1, 30)
    alone = compare_conditions("crop_best/iou@1", dict(retrieved=[photos], none=[np.zeros(30)]))
    fourfold = dict(retrieved=[np.repeat(photos, 4)], none=[np.zeros(120)])
    sources = [f"s{number // 4}" for number in range(120)]
    together = compare_conditions("crop_best/iou@1", fourfold, sources).differences["none"]
    apart = compare_conditions("crop_best/iou@1", fourfold).differences["none"]
    own = alone.differences["none"]
    assert together.mean == pytest.approx(own.mean) == pytest.approx(photos.mean())
    assert together.high - together.low == pytest.approx(own.high - own.low, rel=0.03)
    assert apart.high - apart.low == pytest.approx((own.high - own.low) / 2, rel=0.05)

"""The rules by which an audit says what its intervals tell."""

import numpy as np
import pytest

from procrop.apis.retrieval_audit import compare_conditions, verdict
from procrop.apis.retrieval_audit.comparison import Comparison, Difference


def gains(shuffled, random, none, twin=None, photos=40, sources=40):
    """A comparison with these gains, each with an interval of +- 0.1; "same" where no photo differs."""
    wanted = dict(shuffled=shuffled, random=random, none=none, twin=twin)
    differences = {
        kind: Difference(0.0, 0.0, 0.0, 1.0, 0)
        if gain == "same"
        else Difference(gain, gain - 0.1, gain + 0.1, 0.5, 9)
        for kind, gain in wanted.items()
        if gain is not None
    }
    return Comparison("crop_best/iou@1", photos, sources, {}, differences)


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
            "References help, but which ones does not matter (none above 0.1500): +0.2000",
        ),
        ((0.0, 0.05, -0.2), "References harm, but which ones does not matter"),
        ((0.0, 0.05, -0.09), "No effect of the references is seen (none above 0.1900): +0.0000"),
        (
            (0.2, 0.3, 0.2, 0.2),
            "Of these two trainings it is ahead of the one without references, by +0.2000",
        ),
        (
            (0.2, 0.3, 0.2, 0.0),
            "Yet these two trainings, with and without references, are not told apart: +0.0000",
        ),
        ((0.2, 0.3, 0.2, -0.2), "Yet of these two trainings the one without references is better: -0.2000"),
        ((0.2, 0.3, 0.2, "same"), "not told apart: +0.0000 [no photo differs]; other seeds may differ."),
        (
            ("same", "same", "same"),
            "No effect of the references is seen (no photo's figure differs, so no bound): "
            "+0.0000 [no photo differs] over another photo's",
        ),
        (("same", "same", 0.2), "does not matter (no photo's figure differs, so no bound): +0.2000 [+0.1000"),
        (("same", 0.0, 0.2), "does not matter (none above 0.1000)"),
    ],
)
def test_the_rules_of_the_verdict(figures, words):
    said = verdict(gains(*figures))
    assert words in said and " in crop_best/iou@1 on 40 photos" in said


def test_few_photos_give_no_verdict():
    start = "Too few photos for a verdict, which takes 20 or more: -0.3000 over another photo's, "
    said = verdict(gains(-0.3, -0.2, 0.5, 0.25, photos=2, sources=2))
    assert said.startswith(start) and said.endswith(
        "+0.5000 over none, +0.2500 over the model trained without in crop_best/iou@1 on 2 photos."
    )
    said = verdict(gains(-0.3, -0.2, 0.5, photos=1200, sources=19))
    assert said.startswith(start) and said.endswith("on 1,200 records of 19 photos.")
    assert "worse than another" in verdict(gains(-0.3, -0.2, 0.5, photos=20, sources=20))


def test_photos_that_differ_and_their_sources_are_counted():
    values = dict(retrieved=[np.array([0.5, 0.5, np.nan, 0.7])], none=[np.array([0.5, 0.6, 0.1, 0.7])] * 3)
    found = compare_conditions("crop_best/iou@1", values, ["a", "a", "b", "c"])
    assert (found.photos, found.sources, found.differences["none"].differing) == (3, 2, 1)
    assert compare_conditions("crop_best/iou@1", values).sources == 3


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

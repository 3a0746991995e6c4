"""Figures of a dataset against plain recomputations."""

import json

import numpy as np
import pytest
from PIL import Image

from procrop.datasets import CropRecord, CropSet
from procrop.datasets.set_sizes import photo_sizes
from procrop.datasets.set_statistics import set_statistics


@pytest.fixture
def found(tmp_path):
    """Thirty scored photos with one to five crops, one of unknown size, two of them missing."""
    rng = np.random.default_rng(0)
    records = []
    for i in range(30):
        width, height = int(rng.integers(40, 200)), int(rng.integers(40, 200))
        n = int(rng.integers(1, 6))
        low = rng.uniform(0, 0.4, (n, 2)) * (width, height)
        high = rng.uniform(0.6, 1, (n, 2)) * (width, height)
        records.append(
            CropRecord(
                f"p{i}",
                f"p{i}.png",
                np.hstack([low, high]),
                rng.uniform(1, 5, n),
                size=None if i < 3 else (width, height),
                tags=("human",) if i % 2 else (),
                subject=[1, 1, 9, 9] if i == 4 else None,
            )
        )
        if i not in (0, 7):
            Image.new("RGB", (width, height)).save(tmp_path / f"p{i}.png")
    return CropSet("x", records, tmp_path)


def test_counts_and_summaries(found):
    figures = set_statistics(found, photo_sizes(found))
    counts = [len(record.boxes) for record in found.records]
    scores = np.concatenate([record.scores for record in found.records])
    assert (figures["records"], figures["photos"], figures["crops"]) == (30, 30, sum(counts))
    assert figures["crops_per_record"]["mean"] == pytest.approx(np.mean(counts))
    assert figures["crops_per_record"]["histogram"]["counts"] == [counts.count(n) for n in range(1, 6)]
    assert figures["tags"] == {"human": 15} and figures["subjects"] == 1
    assert figures["missing_photos"] == ["p0.png", "p7.png"]
    assert figures["photo_sizes_known"] == 29  # p1 and p2 by their headers, p7 by its annotation
    assert figures["scores"]["sd"] == pytest.approx(scores.std())
    assert sum(figures["scores"]["histogram"]["counts"]) == len(scores)
    best = [record.scores.max() for record in found.records]
    assert figures["best_score_per_record"]["median"] == pytest.approx(np.median(best))
    json.dumps(figures, allow_nan=False)


def test_size_and_place_of_the_crops(found):
    sizes = photo_sizes(found)
    figures = set_statistics(found, sizes)
    cover, units = np.zeros((240, 240)), []
    for record in found.records[1:]:
        width, height = sizes[record.photo]
        for x1, y1, x2, y2 in record.boxes / [width, height, width, height]:
            units.append((x2 - x1, y2 - y1))
            centres = (np.arange(240) + 0.5) / 240
            cover += np.outer((centres > y1) & (centres < y2), (centres > x1) & (centres < x2))
    coarse = cover.reshape(24, 10, 24, 10).mean(axis=(1, 3)) / len(units)
    assert np.abs(np.array(figures["coverage"]) - coarse).max() < 0.03
    assert figures["crop_size"]["area"]["mean"] == pytest.approx(np.prod(units, axis=1).mean())
    heat = np.zeros((20, 20), int)
    for width, height in units:
        heat[int(height * 20), int(width * 20)] += 1
    np.testing.assert_array_equal(figures["crop_size"]["counts"], heat)


def test_without_sizes_and_scores(tmp_path):
    boxes = [[0, 0, 300, 200], [10, 10, 211, 144], [0, 0, 100, 100], [0, 0, 7, 1]]
    figures = set_statistics(CropSet("x", [CropRecord("a", "a.jpg", boxes)], tmp_path), {})
    assert figures["scores"] is None and figures["crop_size"] is None and figures["coverage"] is None
    named = figures["aspect_ratio"]["named"]
    assert (named["3:2"], named["1:1"], sum(named.values())) == (0.5, 0.25, 0.75)
    assert figures["crop_pixels"]["width_edges"][-1] == 384
    assert np.sum(figures["crop_pixels"]["counts"]) == 4


def test_headers_are_left_alone_when_asked(found):
    assert set(photo_sizes(found, read_headers=False)) == {f"p{i}.png" for i in range(3, 30)}


def test_bins_go_with_the_steps_of_the_scores(tmp_path):
    scores = np.r_[
        np.repeat(1 + np.arange(29) / 7, 30).round(2), 3.07, 0.9
    ]  # sevenths, and two by fewer people
    boxes = np.tile([0, 0, 9, 9], (len(scores), 1))
    figures = set_statistics(CropSet("x", [CropRecord("a", "a.jpg", boxes, scores)], tmp_path), {})
    counts = figures["scores"]["histogram"]["counts"]
    assert sum(counts) == len(scores) and sorted(counts)[:2] == [1, 30] and sorted(counts)[-2:] == [30, 31]
    assert sum(figures["scores"]["eighths"]["counts"]) == len(scores)
    for values in (np.full(len(scores), 4.0), np.random.default_rng(0).uniform(0, 9, len(scores))):
        record = CropRecord("a", "a.jpg", boxes, values)
        histogram = set_statistics(CropSet("x", [record], tmp_path), {})["scores"]["histogram"]
        assert sum(histogram["counts"]) == len(scores) and len(histogram["counts"]) == 32

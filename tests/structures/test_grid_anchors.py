"""Grid anchors: counts, and identity with what the real annotation files list."""

from collections import Counter

import numpy as np
import pytest

from procrop.structures import gaic_grid_anchors


@pytest.mark.parametrize(
    ("size", "count"),
    [
        ((600, 600), 90),
        ((800, 600), 87),
        ((600, 800), 87),
        ((900, 600), 83),
        ((1024, 683), 83),
        ((1600, 900), 60),
    ],
)
def test_counts(size, count):
    anchors = gaic_grid_anchors(*size)
    assert anchors.shape == (count, 4)
    assert len(np.unique(anchors, axis=0)) == count


def _loop(width, height):
    found = []
    for y1 in range(4):
        for x1 in range(4):
            for y2 in range(8, 12):
                for x2 in range(8, 12):
                    box_width, box_height = (x2 - x1) * width / 12, (y2 - y1) * height / 12
                    large = (x2 - x1) * (y2 - y1) > 0.4999 * 144
                    if large and 0.5 < box_width / box_height < 2.0:
                        corner = ((x1 + 0.5) * width / 12, (y1 + 0.5) * height / 12)
                        found.append((*corner, (x2 + 0.5) * width / 12, (y2 + 0.5) * height / 12))
    return np.array(found).reshape(-1, 4)


@pytest.mark.parametrize(
    "size", [(600, 600), (1024, 768), (683, 1024), (1024, 683), (1024, 500), (1000, 300), (5000, 10)]
)
def test_equals_the_plain_loop(size):
    np.testing.assert_allclose(gaic_grid_anchors(*size), _loop(*size), atol=1e-9)


def test_rules_nest_and_all_is_always_90():
    for size in [(600, 600), (1024, 683), (400, 1024), (5000, 10)]:
        generator = {tuple(b) for b in gaic_grid_anchors(*size)}
        annotation = {tuple(b) for b in gaic_grid_anchors(*size, rule="annotation")}
        assert generator <= annotation
        assert len(gaic_grid_anchors(*size, rule="all")) == 90


def test_a_limit_met_exactly_follows_the_rule():
    size = (1600, 800)  # 12 x 12 bins of 2:1: crops of as many columns as rows are 2:1 exactly
    ratios = {rule: _ratios(gaic_grid_anchors(*size, rule=rule)) for rule in ("generator", "annotation")}
    assert ratios["generator"].max() < 2.0
    assert 2.0 in ratios["annotation"].round(12)


def _ratios(boxes):
    return (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])


def test_bad_arguments_are_told():
    with pytest.raises(ValueError, match="above 0"):
        gaic_grid_anchors(0, 10)
    with pytest.raises(ValueError, match="rule must be one of"):
        gaic_grid_anchors(10, 10, rule="best")


def _annotated(path):
    rows = np.array([[float(v) for v in line.split()] for line in path.read_text().splitlines()])
    return rows[:, [1, 0, 3, 2]]


def _side(coordinates, index):
    """Photo sides whose rounded grid lines hold all the coordinates; ``index`` is the farthest line in use."""
    longest = coordinates.max() * 12 / (index + 0.5)
    lines = np.array([0, 1, 2, 3, 8, 9, 10, 11]) + 0.5
    return [
        s
        for s in range(int(longest) - 3, int(longest) + 4)
        if np.isin(coordinates, np.floor(lines * s / 12 + 0.5)).all()
    ]


@pytest.mark.realdata
def test_every_real_annotation_is_the_annotation_grid_in_order(procrop_data):
    """The files name no size: it is inferred from the grid lines, and the size must then give the whole file."""
    files = sorted((procrop_data / "gaicd_v1" / "annotations").glob("*.txt"))
    assert len(files) == 1236
    counts = Counter()
    for path in files:
        boxes = _annotated(path)
        widths, heights = _side(boxes[:, [0, 2]], 11), _side(boxes[:, [1, 3]], 11)
        grids = [gaic_grid_anchors(w, h, "annotation", True) for w in widths for h in heights]
        assert any(np.array_equal(grid, boxes) for grid in grids), path.name
        counts[len(boxes)] += 1
    assert counts == {87: 749, 90: 294, 83: 103, 75: 73, 72: 16, 54: 1}


@pytest.mark.realdata
def test_photos_that_are_present_have_their_boxes_on_the_grid(procrop_data):
    from PIL import Image

    photos = sorted((procrop_data / "gaicd_v1" / "images").glob("*/*.jpg"))
    assert len(photos) >= 5
    for photo in photos:
        with Image.open(photo) as image:
            size = image.size
        boxes = _annotated(procrop_data / "gaicd_v1" / "annotations" / f"{photo.stem}.txt")
        np.testing.assert_array_equal(gaic_grid_anchors(*size, "annotation", True), boxes)
        # every candidate of the generator is among the annotated ones, in the same order
        generator = [tuple(b) for b in gaic_grid_anchors(*size, round_to_pixels=True)]
        kept = set(generator)
        assert [tuple(b) for b in boxes if tuple(b) in kept] == generator

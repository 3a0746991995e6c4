"""Sets of constant crops against brute force, and the sizes that annotations tell."""

from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from scored_photos import records

from procrop.datasets.records import CropRecord, CropSet
from procrop.evaluation.annotated_sizes import sizes_by_annotation
from procrop.evaluation.constant_crop import fit_constant_crops
from procrop.evaluation.constant_set import fit_constant_set
from procrop.evaluation.functional import iou_disp
from procrop.evaluation.photo_record import make_photo_record
from procrop.evaluation.protocols import IoUDisp
from procrop.structures.grid_anchors import gaic_grid_anchors


def _reached(crops, photos):
    """Mean IoU@N and Disp@N of the same N crops everywhere, by the formulas for one photo."""
    scale = [np.tile(photo.size, 2) for photo in photos]
    n = [len(crops)]
    each = [iou_disp(crops * s, photo.gt, photo.size, n) for s, photo in zip(scale, photos, strict=True)]
    return np.mean([[iou[0], disp[0]] for iou, disp in each], axis=0)


@pytest.mark.parametrize(("figure", "sign"), [("iou", 1), ("disp", -1)])
def test_each_crop_is_the_best_beside_those_before(figure, sign):
    photos = [r for r in records(9, most=6) if len(r.gt)]
    found, column = fit_constant_set(IoUDisp(), photos, 3, figure), ("iou", "disp").index(figure)
    single = fit_constant_crops([IoUDisp()], photos)[f"crop/{figure}"]["crop"]
    np.testing.assert_array_equal(found[0], single)
    spans = np.array(list(combinations(range(7), 2))) / 6
    lattice = [np.array([x[0], y[0], x[1], y[1]]) for x, y in product(spans, spans)]
    for n in (1, 2):
        others = [_reached(np.array([*found[:n], crop]), photos)[column] for crop in lattice]
        assert sign * _reached(found[: n + 1], photos)[column] >= max(sign * np.array(others)) - 1e-9


def test_two_kinds_of_photos_get_a_crop_each():
    crops = np.array([[0.1, 0.1, 0.5, 0.9], [0.5, 0.2, 0.95, 0.8]])
    sizes = [(640, 480), (300, 500), (400, 400)]
    photos = [
        make_photo_record(f"{i}{size}", size, [crop * [*size, *size]])
        for size in sizes
        for i, crop in enumerate(crops)
    ]
    found = fit_constant_set(IoUDisp(), photos, 2)
    assert _reached(found, photos)[0] > 0.99
    with pytest.raises(ValueError, match="one of \\('iou', 'disp'\\), not 'acc'"):
        fit_constant_set(IoUDisp(), photos, 2, "acc")


def _record(name, *boxes):
    return CropRecord(name, f"{name}.jpg", np.array(boxes, float))


@pytest.mark.parametrize("size", [(1024, 683), (1024, 682), (744, 1024), (640, 640), (849, 700)])
def test_the_grid_of_gaicd_tells_the_size(size):
    boxes = gaic_grid_anchors(*size, rule="annotation", round_to_pixels=True)
    for name in ("gaicv1", "gaicv2"):
        (found,) = sizes_by_annotation(CropSet(name, [_record("1", *boxes)], Path())).values()
        assert np.abs(np.subtract(found, size)).max() <= 1


@pytest.mark.parametrize(
    ("name", "box", "size"),
    [
        ("1_a_b", [10, 10, 1000, 600], (1024, 683)),
        ("1_a_b", [10, 10, 1000, 760], (1024, 768)),
        ("1_a_b", [10, 10, 1000, 1000], (1024, 1024)),
        ("1_a_b", [10, 10, 600, 1000], (683, 1024)),
        ("1_a_b", [10, 10, 600, 500], (1024, 683)),  # both hold it
        ("1_a_b", [10, 10, 500, 600], (683, 1024)),
        ("1_a_c", [10, 10, 800, 534], (800, 533)),
        ("1_a_o", [10, 10, 700, 500], None),
        ("1_a_c", [10, 10, 900, 600], None),  # not that of this name
    ],
)
def test_the_size_of_a_photo_of_fcdb_is_supposed(name, box, size):
    found = sizes_by_annotation(CropSet("fcdb", [_record(name, box)], Path()))
    assert found == ({} if size is None else {name: size})
    assert sizes_by_annotation(CropSet("flms", [_record(name, box)], Path())) == {}

"""IoU and Disp: the multi-annotator rule and best-of-N against plain loops, and cases by hand."""

import numpy as np
import pytest

from procrop.evaluation.functional import best_of_n, iou_disp, iou_disp_per_prediction


def _iou(p, g):
    width, height = min(p[2], g[2]) - max(p[0], g[0]), min(p[3], g[3]) - max(p[1], g[1])
    inter = max(width, 0.0) * max(height, 0.0)
    return inter / ((p[2] - p[0]) * (p[3] - p[1]) + (g[2] - g[0]) * (g[3] - g[1]) - inter)


def _disp(p, g, size):
    horizontal = (abs(p[0] - g[0]) + abs(p[2] - g[2])) / size[0]
    vertical = (abs(p[1] - g[1]) + abs(p[3] - g[3])) / size[1]
    return (horizontal + vertical) / 4


def _rule(p, gts, size):
    """The annotation of the largest IoU, unless the one of the smallest Disp has the same IoU."""
    ious, disps = [_iou(p, g) for g in gts], [_disp(p, g, size) for g in gts]
    a, d = ious.index(max(ious)), disps.index(min(disps))
    one = d if ious[a] == ious[d] else a
    return ious[one], disps[one]


def _oracle(preds, gts, size, n):
    best = None
    for p in preds[:n]:
        iou, disp = _rule(p, gts, size)
        if best is None or iou > best[0] or (iou == best[0] and disp < best[1]):
            best = (iou, disp)
    return best


def _independent(preds, gts, size, n):
    iou = max(_iou(p, g) for p in preds[:n] for g in gts)
    return iou, min(_disp(p, g, size) for p in preds[:n] for g in gts)


def _boxes(rng, n, size, step):
    """Integer boxes on a coarse lattice, so that equal IoU and equal Disp do occur."""
    low = rng.integers(0, 4, (n, 2)) * step
    high = rng.integers(5, 9, (n, 2)) * step
    return np.concatenate([low, high], axis=1) * np.tile(size, 2) / (8 * step)


@pytest.mark.parametrize("seed", range(30))
def test_equals_plain_loops(seed):
    rng = np.random.default_rng(seed)
    size = (960.0, 640.0)
    preds, gts = _boxes(rng, rng.integers(1, 12), size, 10), _boxes(rng, rng.integers(1, 12), size, 10)
    topk = (1, 2, 3, 8)
    for mode, loop in (("same_annotation", _oracle), ("independent", _independent)):
        iou, disp = iou_disp(preds, gts, size, topk, mode)
        expected = np.array([loop(preds.tolist(), gts.tolist(), size, n) for n in topk])
        np.testing.assert_allclose(np.stack([iou, disp], axis=1), expected, atol=1e-12)


@pytest.mark.realdata
def test_equals_plain_loops_on_real_annotations(procrop_data):
    """Good crops are ground truth; the bad ones stand in for predictions, so IoU ties are those of real grids."""
    for path in sorted((procrop_data / "gaicd_v1" / "annotations").glob("*.txt"))[::50]:
        rows = np.array([[float(v) for v in line.split()] for line in path.read_text().splitlines()])
        boxes, mos = rows[:, [1, 0, 3, 2]], rows[:, 4]
        order = np.argsort(-mos, kind="stable")
        gts, preds = boxes[order[:6]], boxes[order[6:20]]
        size = tuple(boxes.max(axis=0)[2:] * 12 / 11.5)
        for mode, loop in (("same_annotation", _oracle), ("independent", _independent)):
            iou, disp = iou_disp(preds, gts, size, (1, 2, 3), mode)
            expected = [loop(preds.tolist(), gts.tolist(), size, n) for n in (1, 2, 3)]
            np.testing.assert_allclose(np.stack([iou, disp], axis=1), expected, atol=1e-12)


def test_both_figures_come_from_one_annotation():
    # moving an edge along the long side of a flat box costs little IoU and much Disp
    size, pred, wide, high = (100, 100), [[0, 0, 100, 10]], [0, 0, 70, 10], [0, 0, 100, 16]
    iou, disp = iou_disp_per_prediction(pred, [high, wide], size)
    assert iou[0] == pytest.approx(0.7) and disp[0] == pytest.approx(30 / 400)
    iou, disp = iou_disp_per_prediction(pred, [high, wide], size, "independent")
    assert iou[0] == pytest.approx(0.7) and disp[0] == pytest.approx(6 / 400)


def test_equal_iou_takes_the_annotation_of_the_smaller_displacement():
    # no overlap with either: IoU 0 twice, the second annotation is nearer
    iou, disp = iou_disp_per_prediction([[0, 0, 10, 10]], [[80, 80, 90, 90], [20, 20, 30, 30]], (100, 100))
    assert iou[0] == 0 and disp[0] == pytest.approx(0.2)


def test_best_of_n_takes_a_whole_prediction_and_prefers_the_nearer_of_equals():
    iou, disp = [0.5, 0.7, 0.7, 0.6], [0.01, 0.09, 0.08, 0.02]
    assert [v.tolist() for v in best_of_n(iou, disp, (1, 2, 3, 9))] == [
        [0.5, 0.7, 0.7, 0.7],
        [0.01, 0.09, 0.08, 0.08],
    ]
    independent = best_of_n(iou, disp, (1, 2, 3, 9), "independent")
    assert [v.tolist() for v in independent] == [[0.5, 0.7, 0.7, 0.7], [0.01, 0.01, 0.01, 0.01]]


def test_no_prediction_is_the_worst_and_no_annotation_an_error():
    iou, disp = iou_disp(np.zeros((0, 4)), [[0, 0, 5, 5]], (10, 10))
    assert iou.tolist() == [0, 0, 0] and disp.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="at least one annotated crop"):
        iou_disp([[0, 0, 5, 5]], [], (10, 10))
    with pytest.raises(ValueError, match="mode must be one of"):
        iou_disp([[0, 0, 5, 5]], [[0, 0, 5, 5]], (10, 10), mode="mean")
    with pytest.raises(ValueError, match="1 or more"):
        iou_disp([[0, 0, 5, 5]], [[0, 0, 5, 5]], (10, 10), topk=(0, 1))

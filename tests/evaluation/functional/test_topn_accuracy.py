"""ACC_{K/N} with eps and the recall of the best crop: plain loops, brute force, and cases by hand."""

from itertools import permutations

import numpy as np
import pytest

from procrop.evaluation.functional import best_crop_recall, topn_accuracy
from procrop.structures.boxes import box_iou


def _best(mos, n, ties):
    """Positions of the n best, by repeated search of the first maximum."""
    left = list(range(len(mos)))
    found = []
    while left and len(found) < n:
        top = left[0]
        for i in left:
            if mos[i] > mos[top]:
                top = i
        found.append(top)
        left.remove(top)
    if ties == "include":
        found += [i for i in left if mos[i] == mos[found[-1]]]
    return found


def _loop_accuracy(iou, mos, n, k, eps, ties):
    hits = 0
    for j in range(k):
        if j < len(iou) and any(iou[j][g] >= eps for g in _best(mos, n, ties)):
            hits += 1
    return hits / k


def _plain_iou(p, g):
    width, height = min(p[2], g[2]) - max(p[0], g[0]), min(p[3], g[3]) - max(p[1], g[1])
    inter = max(width, 0.0) * max(height, 0.0)
    return inter / ((p[2] - p[0]) * (p[3] - p[1]) + (g[2] - g[0]) * (g[3] - g[1]) - inter)


def _brute_one_to_one(iou, mos, n, k, eps, ties):
    """Try every way to hand out the top crops to the first k predictions."""
    targets = _best(mos, n, ties)
    rows = [[g for g in targets if row[g] >= eps] for row in iou[:k]]

    def most(i, used):
        if i == len(rows):
            return 0
        return max([most(i + 1, used)] + [1 + most(i + 1, used | {g}) for g in rows[i] if g not in used])

    return most(0, frozenset()) / k


def _cases(count):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        p, m = int(rng.integers(0, 9)), int(rng.integers(1, 14))
        # coarse values: ties in MOS and IoU exactly on the threshold are frequent
        yield rng.choice([0.5, 0.8, 0.85, 0.9], (p, m)), rng.choice([1.0, 2.5, 4.0, 4.5], m)


@pytest.mark.parametrize("ties", ["file_order", "include"])
def test_equals_plain_loops(ties):
    for iou, mos in _cases(120):
        for n in (1, 3, 5):
            got = topn_accuracy(iou, mos, n, (1, 2, 3, 4), 0.85, ties)
            expected = [_loop_accuracy(iou.tolist(), mos.tolist(), n, k, 0.85, ties) for k in (1, 2, 3, 4)]
            np.testing.assert_allclose(got, expected, atol=1e-12)
            best = _best(mos.tolist(), 1, ties)
            recall = any(iou[j, g] >= 0.85 for j in range(min(n, len(iou))) for g in best)
            assert best_crop_recall(iou, mos, n, 0.85, ties) == float(recall)


@pytest.mark.parametrize("ties", ["file_order", "include"])
def test_one_to_one_is_the_largest_matching(ties):
    smaller = 0
    for iou, mos in _cases(120):
        got = topn_accuracy(iou, mos, 3, (1, 2, 3, 4), 0.85, ties, one_to_one=True)
        expected = [_brute_one_to_one(iou.tolist(), mos.tolist(), 3, k, 0.85, ties) for k in (1, 2, 3, 4)]
        np.testing.assert_allclose(got, expected, atol=1e-12)
        smaller += int((got < topn_accuracy(iou, mos, 3, (1, 2, 3, 4), 0.85, ties)).any())
    assert smaller > 10  # or the option would not have been exercised


@pytest.mark.realdata
@pytest.mark.parametrize("ties", ["file_order", "include"])
def test_equals_plain_loops_on_real_annotations(procrop_data, ties):
    """Shifted annotated crops in random order stand in for predictions; real MOS have many ties."""
    rng = np.random.default_rng(0)
    figures = []
    for path in sorted((procrop_data / "gaicd_v1" / "annotations").glob("*.txt"))[::50]:
        rows = np.array([[float(v) for v in line.split()] for line in path.read_text().splitlines()])
        boxes, mos = rows[:, [1, 0, 3, 2]], rows[:, 4]
        pred = boxes[rng.permutation(len(boxes))[:12]] + rng.integers(-30, 31, (12, 4))
        iou = box_iou(pred, boxes)
        plain = [[_plain_iou(p, g) for g in boxes.tolist()] for p in pred.tolist()]
        for n in (5, 10):
            got = topn_accuracy(iou, mos, n, (1, 2, 3, 4), 0.85, ties)
            expected = [_loop_accuracy(plain, mos.tolist(), n, k, 0.85, ties) for k in (1, 2, 3, 4)]
            np.testing.assert_allclose(got, expected, atol=1e-12)
            best = _best(mos.tolist(), 1, ties)
            recall = float(any(plain[j][g] >= 0.85 for j in range(n) for g in best))
            assert best_crop_recall(iou, mos, n, 0.85, ties) == recall
            figures += [*got, recall]
    assert 0.1 < np.mean(figures) < 0.9


def test_one_to_one_lets_an_earlier_prediction_step_aside():
    # both predictions fit crop 0, only the first fits crop 1: greedy by rank would count one
    iou = [[0.9, 0.9], [0.9, 0.1]]
    for order in permutations(range(2)):
        rows = np.array(iou)[list(order)]
        assert topn_accuracy(rows, [5.0, 4.0], 2, (2,), one_to_one=True).tolist() == [1.0]


def test_by_hand_with_boxes():
    gt = np.array([[0, 0, 100, 100], [0, 0, 100, 80], [0, 0, 50, 50.0]])
    mos = np.array([3.0, 4.0, 5.0])
    pred = np.array([[0, 0, 100, 85], [0, 0, 50, 50], [0, 0, 100, 84.9], [0, 0, 99, 99.0]])
    iou = box_iou(pred, gt)  # first row: 0.85 with the worst crop, 80/85 with the second
    assert topn_accuracy(iou, mos, 1).tolist() == [0, 1 / 2, 1 / 3, 1 / 4]
    assert topn_accuracy(iou, mos, 2).tolist() == [1, 1, 1, 3 / 4]
    assert topn_accuracy(iou, mos, 3).tolist() == [1, 1, 1, 1]
    assert topn_accuracy(iou, mos, 2, one_to_one=True).tolist() == [1, 1, 2 / 3, 2 / 4]
    assert [best_crop_recall(iou, mos, n) for n in (1, 2, 3)] == [0.0, 1.0, 1.0]


def test_the_two_protocols_differ():
    # the top prediction equals the second-best crop; no prediction equals the best one
    iou = np.array([[0.1, 0.95, 0.1], [0.1, 0.1, 0.1]])
    mos = [5.0, 4.0, 1.0]
    assert topn_accuracy(iou, mos, 2, (1,)).tolist() == [1.0]
    assert best_crop_recall(iou, mos, 2) == 0.0


def test_missing_predictions_are_misses_and_few_crops_all_count():
    assert topn_accuracy([[0.9]], [3.0], 10, (1, 2, 4)).tolist() == [1.0, 0.5, 0.25]
    assert topn_accuracy(np.zeros((0, 2)), [3.0, 2.0], 5, (1, 4)).tolist() == [0.0, 0.0]
    assert topn_accuracy(np.zeros((0, 2)), [3.0, 2.0], 5, (1, 4), one_to_one=True).tolist() == [0.0, 0.0]
    assert best_crop_recall(np.zeros((0, 2)), [3.0, 2.0], 5) == 0.0


def test_ties_of_the_best_crop():
    iou = np.array([[0.1, 0.9]])
    assert best_crop_recall(iou, [5.0, 5.0], 5) == 0.0
    assert best_crop_recall(iou, [5.0, 5.0], 5, ties="include") == 1.0
    assert topn_accuracy(iou, [5.0, 5.0], 1, (1,)).tolist() == [0.0]
    assert topn_accuracy(iou, [5.0, 5.0], 1, (1,), ties="include").tolist() == [1.0]


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="K must be 1"):
        topn_accuracy([[0.9]], [3.0], 5, (0, 1))
    with pytest.raises(ValueError, match="N of 1"):
        best_crop_recall([[0.9]], [3.0], 0)

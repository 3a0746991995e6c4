"""Exact-grid accuracy, weighted accuracy and correlations against loops and scipy."""

import math

import numpy as np
import pytest

from procrop.evaluation.functional import grid_accuracy, pcc, srcc, weighted_grid_accuracy


def _loops(scores, mos, n, k, beta):
    """Accuracy with ties and weighted accuracy, the way the data set's own test counts them."""
    by_mos = sorted(range(len(mos)), key=lambda i: -mos[i])
    by_score = sorted(range(len(mos)), key=lambda i: -scores[i])
    threshold = mos[by_mos[min(n, len(mos)) - 1]]
    right = sum(mos[i] >= threshold for i in by_score[:k])
    ranks = sorted(by_mos.index(i) for i in by_score[:k])
    weighted = sum(math.exp(-beta * (r - j)) for j, r in enumerate(ranks) if r <= n - 1)
    return right / k, weighted / k


def _cases():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        m = int(rng.integers(2, 40))
        yield rng.integers(0, 12, m) / 4.0, rng.integers(4, 21, m) / 4.0


def test_equals_plain_loops():
    for scores, mos in _cases():
        for n, beta in ((5, 0.2), (10, 0.1)):
            ks = [k for k in (1, 2, 3, 4) if k <= len(mos)]
            expected = np.array([_loops(scores.tolist(), mos.tolist(), n, k, beta) for k in ks])
            np.testing.assert_allclose(grid_accuracy(scores, mos, n, ks), expected[:, 0], atol=1e-12)
            np.testing.assert_allclose(
                weighted_grid_accuracy(scores, mos, n, ks, beta), expected[:, 1], atol=1e-12
            )


def test_correlations_equal_scipy():
    from scipy.stats import pearsonr, spearmanr

    for scores, mos in _cases():
        if np.ptp(scores) and np.ptp(mos):
            assert pcc(scores, mos) == pytest.approx(pearsonr(scores, mos)[0], abs=1e-12)
            assert srcc(scores, mos) == pytest.approx(spearmanr(scores, mos)[0], abs=1e-12)


@pytest.mark.realdata
def test_equals_loops_and_scipy_on_real_annotations(procrop_data):
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    for path in sorted((procrop_data / "gaicd_v1" / "annotations").glob("*.txt"))[::25]:
        mos = np.array([float(line.split()[4]) for line in path.read_text().splitlines()])
        scores = mos + rng.normal(0, 1, len(mos))
        got = [grid_accuracy(scores, mos, 5), weighted_grid_accuracy(scores, mos, 5)]
        expected = [_loops(scores.tolist(), mos.tolist(), 5, k, 0.2) for k in (1, 2, 3, 4)]
        np.testing.assert_allclose(np.transpose(got), expected, atol=1e-12)
        assert srcc(scores, mos) == pytest.approx(spearmanr(scores, mos)[0], abs=1e-12)


def test_by_hand():
    mos = [1.0, 4.0, 3.0, 4.0, 2.0]
    scores = [0.1, 0.9, 0.8, 0.2, 0.7]  # order: 1, 2, 4, 3, 0
    assert grid_accuracy(scores, mos, 1).tolist() == [
        1,
        1 / 2,
        1 / 3,
        2 / 4,
    ]  # crops 1 and 3 tie for the first place
    assert grid_accuracy(scores, mos, 1, ties="file_order").tolist() == [1, 1 / 2, 1 / 3, 1 / 4]
    # ranks of 1, 2, 4, 3 are 0, 2, 3, 1
    expected = [1, (1 + math.exp(-0.2)) / 2, (1 + math.exp(-0.2)) / 3, 3 / 4]
    np.testing.assert_allclose(weighted_grid_accuracy(scores, mos, 3), expected)


def test_scores_that_are_not_finite_never_win():
    mos = [5.0, 1.0, 2.0]
    assert grid_accuracy([np.nan, 0.1, 0.2], mos, 1, (1, 2, 3)).tolist() == [0, 0, 1 / 3]
    assert srcc([np.nan, 0.1, 0.2], mos) == srcc([0.1, 0.1, 0.2], mos)
    assert pcc([np.inf, 0.1, 0.2], mos) == pcc([0.1, 0.1, 0.2], mos)
    assert srcc([np.nan] * 3, mos) == 0.0


def test_undefined_correlations_and_more_places_than_crops():
    assert srcc([1, 2, 3], [2.0, 2.0, 2.0]) is None and pcc([1.0], [2.0]) is None
    assert srcc([1, 1, 1], [1.0, 2.0, 3.0]) == pcc([1, 1, 1], [1.0, 2.0, 3.0]) == 0.0
    assert grid_accuracy([0.3, 0.1], [4.0, 5.0], 5).tolist() == [1, 1, 2 / 3, 2 / 4]
    assert pcc(np.array([0.1, 0.2]) * 1e200, [1.0, 2.0]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="one score per annotated crop"):
        srcc([1, 2], [1.0, 2.0, 3.0])

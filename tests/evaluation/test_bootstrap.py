"""The paired bootstrap against scipy, the normal case, and how often its intervals hold."""

import numpy as np
import pytest

from procrop.evaluation.bootstrap import Difference, differences, draw_counts, resampled_scores
from procrop.evaluation.photo_table import PhotoTable


def _compare(a, b, **options):
    tables = [PhotoTable(("x",), np.asarray(v, float)[:, None]) for v in (a, b)]
    draws = resampled_scores([[t] for t in tables], **options)
    return differences(("x",), [t.means() for t in tables], draws)["x"]


def test_equals_scipy():
    from scipy.stats import bootstrap

    rng = np.random.default_rng(0)
    a = rng.beta(5, 2, 80)
    b = np.clip(a + rng.normal(0.02, 0.1, 80), 0, 1)
    ours = _compare(a, b)
    theirs = bootstrap((b - a,), np.mean, n_resamples=10_000, method="percentile", rng=1).confidence_interval
    assert ours.value == pytest.approx(np.mean(b - a))
    np.testing.assert_allclose([ours.low, ours.high], [theirs.low, theirs.high], atol=1.5e-3)


def test_agrees_with_the_normal_case():
    from scipy.stats import norm

    rng = np.random.default_rng(3)
    change = rng.normal(0.0, 1.0, 400)
    change += 0.1 - change.mean()
    error = change.std() / 20
    found = _compare(np.zeros(400), change)
    np.testing.assert_allclose([found.low, found.high], 0.1 + error * norm.ppf([0.025, 0.975]), atol=5e-3)
    assert found.p == pytest.approx(2 * norm.sf(0.1 / error), abs=0.01)


def test_intervals_hold_as_often_as_they_say():
    rng = np.random.default_rng(5)
    held = 0
    for trial in range(300):
        change = rng.normal(0.3, 1.0, 60)
        found = _compare(np.zeros(60), change, resamples=400, seed=trial)
        held += found.low <= 0.3 <= found.high
    assert 0.90 <= held / 300 <= 0.98


def test_p_of_no_difference_is_uniform():
    rng = np.random.default_rng(6)
    p = [_compare(np.zeros(60), rng.normal(0, 1, 60), resamples=400, seed=i).p for i in range(300)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.10
    assert np.mean(p) == pytest.approx(0.5, abs=0.06)


def test_pairing_is_what_makes_small_differences_visible():
    rng = np.random.default_rng(7)
    a = rng.uniform(0, 1, 200)
    found = _compare(a, a + 0.01)
    assert found == Difference(
        pytest.approx(0.01), pytest.approx(0.01), pytest.approx(0.01), pytest.approx(2 / 10_001)
    )
    same = _compare(a, a)
    assert (same.value, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)


def test_draws_are_seeded_and_whole_in_blocks(monkeypatch):
    import procrop.evaluation.bootstrap as module

    whole = np.concatenate(list(draw_counts(30, 100, seed=4)))
    assert whole.shape == (100, 30) and (whole.sum(axis=1) == 30).all()
    monkeypatch.setattr(module, "_BLOCK", 30 * 7)
    assert [len(block) for block in draw_counts(30, 20)] == [7, 7, 6]
    np.testing.assert_array_equal(np.concatenate(list(draw_counts(30, 100, seed=4))), whole)


def test_units_are_drawn_whole():
    units = ["a", "b", "a", "c", "b", "a"]
    counts = np.concatenate(list(draw_counts(6, 500, units=units)))
    assert (counts[:, 0] == counts[:, 2]).all() and (counts[:, 0] == counts[:, 5]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()
    # photos of one source agree: drawing them singly would make the interval too narrow
    rng = np.random.default_rng(8)
    change = np.repeat(rng.normal(0, 1, 40), 5)
    single = _compare(np.zeros(200), change)
    clustered = _compare(np.zeros(200), change, units=np.repeat(np.arange(40), 5))
    assert (clustered.high - clustered.low) / (single.high - single.low) == pytest.approx(np.sqrt(5), rel=0.1)


def test_undefined_figures_are_left_out_of_each_mean():
    a = np.array([[1.0, np.nan], [0.0, 0.5], [0.5, np.nan]])
    table = PhotoTable(("x", "y"), a)
    np.testing.assert_allclose(
        table.resampled(np.array([[2.0, 1, 0], [1, 0, 2]])), [[2 / 3, 0.5], [2 / 3, np.nan]]
    )
    floors = PhotoTable(("x", "random_x"), np.nan_to_num(a))
    assert floors.scores == ("x",) and floors.resampled(np.ones((1, 3))).shape == (1, 1)


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="same photos"):
        _compare(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="needs photos and draws"):
        _compare(np.zeros(3), np.zeros(3), resamples=0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        differences((), [{}, {}], [np.zeros((1, 0))] * 2, level=95)

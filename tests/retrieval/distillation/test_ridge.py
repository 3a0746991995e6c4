"""The least-squares start against the normal equations, and against leaving photos out one by one."""

import numpy as np
import pytest

from procrop.retrieval.distillation.ridge import _PENALTIES, fit_ridge


def problem(count, width, noise, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, width)) * rng.uniform(0.1, 3, width) + 5
    x[:, 2] = 7
    y = x @ rng.normal(size=(width, 3)) + noise * rng.normal(size=(count, 3)) - 2
    return x, y


def ridge_by_hand(x, y, alpha):
    """Prediction function of the penalised normal equations, the bias free of penalty."""
    centre = x - x.mean(0)
    weight = np.linalg.solve(centre.T @ centre + alpha * np.eye(x.shape[1]), centre.T @ (y - y.mean(0)))
    return lambda new: (new - x.mean(0)) @ weight + y.mean(0)


def scale(x):
    return ((x - x.mean(0)) ** 2).sum() / len(x)


@pytest.mark.parametrize(("count", "width"), [(40, 8), (15, 60)])
def test_it_is_the_ridge_solution_of_its_penalty(count, width):
    x, y = problem(count, width, 1.0)
    found = fit_ridge(x, y)
    expected = ridge_by_hand(x, y, found.penalty * scale(x))
    np.testing.assert_allclose(found(x), expected(x), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found(x + 1), expected(x + 1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("count", "width"), [(30, 8), (15, 40)])
def test_the_penalty_is_the_best_one_photo_left_out(count, width):
    x, y = problem(count, width, 3.0)
    errors = []
    for penalty in _PENALTIES:
        left_out = []
        for i in range(len(x)):
            others = np.arange(len(x)) != i
            predict = ridge_by_hand(x[others], y[others], penalty * scale(x))
            left_out.append(((y[i] - predict(x[i])) ** 2).mean())
        errors.append(np.mean(left_out))
    assert fit_ridge(x, y).penalty == pytest.approx(_PENALTIES[int(np.argmin(errors))])


def test_noise_asks_for_a_larger_penalty():
    assert fit_ridge(*problem(60, 30, 30.0)).penalty > 10 * fit_ridge(*problem(60, 30, 0.001)).penalty


def test_repeated_photos_do_no_harm():
    x, y = problem(20, 6, 0.1)
    found = fit_ridge(np.concatenate([x, x[:3]]), np.concatenate([y, y[:3]]))
    assert np.isfinite(found.weight).all() and np.abs(found(x) - y).max() < 1

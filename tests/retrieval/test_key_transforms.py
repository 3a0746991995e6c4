"""Key transforms against independent formulas."""

import numpy as np
import pytest

from procrop.retrieval.key_transforms import (
    PCA,
    Compose,
    MeanPool,
    Normalise,
    NoTransform,
    build_key_transform,
)


@pytest.fixture
def keys():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(50, 6)) * [5, 3, 2, 1, 0.5, 0.1] + 7).astype(np.float32)


def test_normalise(keys):
    out = Normalise().transform(keys)
    assert out.dtype == np.float32
    np.testing.assert_allclose(np.square(out).sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(out[3] / out[3, 0], keys[3] / keys[3, 0], rtol=1e-5)
    with pytest.raises(ValueError, match="key 1"):
        Normalise().transform(np.array([[1, 2], [0, 0]], np.float32))


def test_mean_pool():
    tokens = np.arange(24, dtype=np.float16).reshape(2, 4, 3)
    np.testing.assert_array_equal(MeanPool().transform(tokens), [[4.5, 5.5, 6.5], [16.5, 17.5, 18.5]])


def test_pca_agrees_with_scikit_learn(keys):
    from sklearn.decomposition import PCA as Reference

    ours = PCA(3).fit(keys).transform(keys)
    theirs = Reference(3, svd_solver="full").fit_transform(keys.astype(np.float64))
    signs = np.sign((ours * theirs).sum(0))
    np.testing.assert_allclose(ours, theirs * signs, atol=1e-4)


def test_pca_of_fewer_keys_than_numbers_agrees_with_scikit_learn():
    from sklearn.decomposition import PCA as Reference

    keys = np.random.default_rng(1).normal(size=(9, 40)).astype(np.float32) * np.linspace(3, 0.1, 40) + 2
    for whiten in (False, True):
        ours = PCA(5, whiten=whiten).fit(keys)
        theirs = Reference(5, svd_solver="full", whiten=whiten).fit(keys.astype(np.float64))
        more = np.random.default_rng(2).normal(size=(6, 40)).astype(np.float32)
        found, expected = ours.transform(more), theirs.transform(more.astype(np.float64))
        np.testing.assert_allclose(found, expected * np.sign((found * expected).sum(0)), atol=1e-3)


def test_directions_that_few_keys_do_not_show_are_zero():
    keys = np.random.default_rng(1).normal(size=(4, 30)).astype(np.float32)
    pca = PCA(5).fit(np.concatenate([keys, keys]))
    components = pca.state()["components"]
    assert np.isfinite(components).all() and not components[3:].any()
    np.testing.assert_allclose(components[:3] @ components[:3].T, np.eye(3), atol=1e-5)


def test_pca_by_chunks_is_pca(keys, monkeypatch):
    from procrop.retrieval import key_transforms

    before = PCA(3).fit(keys).state()["components"]
    monkeypatch.setattr(key_transforms, "_CHUNK", 7)
    np.testing.assert_allclose(PCA(3).fit(keys).state()["components"], before, atol=1e-6)


def test_length_of_the_keys_that_come_out():
    config = [dict(type="PCA", dim=3), dict(type="Normalise")]
    assert build_key_transform(config).output_dim(6) == 3 and build_key_transform(None).output_dim(6) == 6
    with pytest.raises(ValueError, match=r"PCA\(dim=3\) cannot shorten keys of length 2"):
        build_key_transform(config).output_dim(2)


def test_pca_has_one_sign_and_one_state(keys):
    pca, flipped = PCA(3).fit(keys), PCA(3).fit(-keys)
    np.testing.assert_allclose(pca.state()["components"], flipped.state()["components"], atol=1e-5)
    assert (pca.state()["components"].max(1) >= -pca.state()["components"].min(1)).all()
    again = PCA(3).load_state(pca.state())
    np.testing.assert_array_equal(again.transform(keys), pca.transform(keys))


def test_whitened_directions_have_unit_variance(keys):
    np.testing.assert_allclose(PCA(4, whiten=True).fit(keys).transform(keys).var(0, ddof=1), 1, rtol=1e-4)


def test_pca_says_what_is_wrong(keys):
    with pytest.raises(ValueError, match="at most 6"):
        PCA(7).fit(keys)
    with pytest.raises(ValueError, match="at most 2"):
        PCA(3).fit(keys[:3])
    with pytest.raises(ValueError, match="fitted"):
        PCA(3).transform(keys)
    with pytest.raises(ValueError, match="length 6, not 5"):
        PCA(3).fit(keys).transform(keys[:, :5])
    with pytest.raises(ValueError, match=r"PCA\(dim=2\)"):
        PCA(2).load_state(PCA(3).fit(keys).state())


def test_compose_fits_in_turn_and_restores(keys):
    config = [dict(type="PCA", dim=3), dict(type="Normalise")]
    both = build_key_transform(config).fit(keys)
    expected = Normalise().transform(PCA(3).fit(keys).transform(keys))
    np.testing.assert_array_equal(both.transform(keys), expected)
    assert sorted(both.state()) == ["0.components", "0.mean"]
    np.testing.assert_array_equal(
        build_key_transform(config).load_state(both.state()).transform(keys), expected
    )


def test_mean_pool_must_come_first():
    assert Compose([MeanPool(), Normalise()]).takes_tokens
    assert not Compose([Normalise()]).takes_tokens
    with pytest.raises(ValueError, match="first"):
        Compose([Normalise(), MeanPool()])


def test_no_config_changes_nothing(keys):
    transform = build_key_transform(None)
    assert isinstance(transform, NoTransform)
    np.testing.assert_array_equal(transform.fit(keys).transform(keys), keys)
    with pytest.raises(ValueError, match="no state"):
        transform.load_state({"mean": keys})

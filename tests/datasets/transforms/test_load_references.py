"""Loading of references: a real neighbour table, and a gallery held in memory."""

import copy
import pickle

import numpy as np
import pytest

from procrop.datasets.transforms import LoadReferences, PackCropInputs
from procrop.retrieval.neighbour_table import NeighbourTable, NeighbourTableError

SHAPE = (4, 6)  # tokens per reference, their width


class FakeGallery:
    folder = "gallery"
    fingerprint = "f1"
    content_sha256 = "c1"
    token_shape = SHAPE
    opened = 0

    @classmethod
    def open(cls, folder):
        cls.opened += 1
        return cls()

    def tokens(self, ids):
        return np.stack([np.full(SHAPE, i, dtype=np.float16) for i in ids])

    def crops(self, ids):
        n = len(ids)
        boxes = np.tile(np.asarray(ids, dtype=np.float32)[:, None, None] / 100, (1, 3, 4))
        return boxes, np.full((n, 3), 0.5, np.float32), np.tile([False, False, True], (n, 1))


@pytest.fixture(autouse=True)
def files(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("procrop.retrieval.gallery.Gallery", FakeGallery)
    monkeypatch.setattr(FakeGallery, "opened", 0)
    ids = [[7, 3, 9, *[-1] * 7], [-1] * 10]
    scores = [[0.9, 0.8, 0.7, *[0] * 7], [0] * 10]
    NeighbourTable(["a", "none"], ids, scores, "f1", "c1").save("table.npz")


def _load(img_id="a", **kwargs):
    return LoadReferences("gallery", "table.npz", **kwargs)(dict(img_id=img_id))


def test_images():
    results = _load(k=2)
    assert results["reference_ids"].tolist() == [7, 3] and results["reference_ids"].dtype == np.int64
    np.testing.assert_array_equal(results["reference_scores"], np.float32([0.9, 0.8]))
    assert results["reference_tokens"].shape == (2, *SHAPE)
    assert results["reference_tokens"].dtype == np.float16
    assert (results["reference_tokens"] == np.array([7, 3])[:, None, None]).all()
    assert results["reference_mask"].tolist() == [False, False]
    assert "reference_crops" not in results


def test_fewer_neighbours_than_k_are_padded_and_masked():
    results = _load(k=5, what="both")
    assert results["reference_ids"].tolist() == [7, 3, 9, -1, -1]
    assert results["reference_mask"].tolist() == [False] * 3 + [True] * 2
    assert (results["reference_tokens"][3:] == 0).all() and (results["reference_tokens"][2] == 9).all()
    assert results["reference_crops"].shape == (5, 3, 4)
    np.testing.assert_allclose(results["reference_crops"][:3, 0, 0], [0.07, 0.03, 0.09])
    assert results["reference_crop_mask"].tolist() == [[False, False, True]] * 3 + [[True] * 3] * 2
    assert (results["reference_crop_scores"][3:] == 0).all()


def test_no_neighbour_at_all():
    results = _load("none", k=3, what="both")
    assert results["reference_mask"].all() and results["reference_tokens"].shape == (3, *SHAPE)
    assert results["reference_crops"].shape == (3, 3, 4)


def test_annotations_alone():
    results = _load(k=2, what="annotation")
    assert "reference_tokens" not in results and results["reference_crops"].shape == (2, 3, 4)


def test_what_the_gallery_lacks_is_said(monkeypatch):
    monkeypatch.setattr(FakeGallery, "crops", lambda *_: None)
    with pytest.raises(ValueError, match="gallery: it holds no crop annotations"):
        _load(what="both")
    monkeypatch.setattr(FakeGallery, "token_shape", None)
    with pytest.raises(ValueError, match="gallery: it holds no image tokens"):
        _load(what="image")


@pytest.mark.parametrize("attribute,word", [("fingerprint", "encoder"), ("content_sha256", "photos")])
def test_table_of_another_gallery_is_refused(monkeypatch, attribute, word):
    monkeypatch.setattr(FakeGallery, attribute, "other")
    with pytest.raises(NeighbourTableError, match=rf"table\.npz.*{word}.*tools/neighbours\.py CONFIG"):
        _load()


def test_query_without_entry_and_missing_table_are_named():
    with pytest.raises(ValueError, match=r"table\.npz.*'b'.*neighbours\.py"):
        _load("b")
    with pytest.raises(ValueError, match=r"other\.npz: not found.*neighbours\.py"):
        LoadReferences("gallery", "other.npz")(dict(img_id="a"))


def test_dropping_draws_from_numpys_global_generator():
    step = LoadReferences("gallery", "table.npz", k=3, drop_prob=0.25)
    np.random.seed(0)
    dropped = [step(dict(img_id="a"))["reference_mask"].all() for _ in range(400)]
    assert 0.18 < np.mean(dropped) < 0.32
    np.random.seed(0)
    assert [step(dict(img_id="a"))["reference_mask"].all() for _ in range(400)] == dropped
    assert LoadReferences("gallery", "table.npz", drop_prob=1.0)(dict(img_id="a"))["reference_mask"].all()


def test_opened_once_when_first_needed_and_not_carried_into_copies():
    step = LoadReferences("gallery", "table.npz")
    assert FakeGallery.opened == 0
    step(dict(img_id="a")), step(dict(img_id="a"))
    assert (step.fingerprint, step.token_shape, step.gallery_path) == ("f1", SHAPE, "gallery")
    assert FakeGallery.opened == 1
    for other in (pickle.loads(pickle.dumps(step)), copy.deepcopy(step)):
        assert other(dict(img_id="a"))["reference_ids"][0] == 7
    assert FakeGallery.opened == 3


def test_another_process_opens_its_own(monkeypatch):
    step = LoadReferences("gallery", "table.npz")
    step(dict(img_id="a"))
    monkeypatch.setattr("os.getpid", lambda: -5)
    step(dict(img_id="a"))
    assert FakeGallery.opened == 2


def test_no_gallery_switches_the_step_off():
    step = LoadReferences(None, None)
    assert step(dict(img_id="a")) == dict(img_id="a")
    assert step.fingerprint is None and step.token_shape is None and FakeGallery.opened == 0


@pytest.mark.parametrize("bad", [dict(what="images"), dict(k=0), dict(drop_prob=1.5), dict(table=None)])
def test_bad_parameters(bad):
    with pytest.raises(ValueError):
        LoadReferences(**{"gallery": "g", "table": "t", **bad})


def test_references_are_packed():
    results = _load(k=4, what="both")
    results["img"] = np.zeros((5, 6, 3), dtype=np.uint8)
    references = PackCropInputs()(results)["data_samples"].references
    assert len(references) == 4
    assert set(references.keys()) == {
        "ids",
        "scores",
        "mask",
        "tokens",
        "crops",
        "crop_scores",
        "crop_mask",
    }
    assert str(references.tokens.dtype) == "torch.float16" and str(references.mask.dtype) == "torch.bool"
    assert str(references.ids.dtype) == "torch.int64"

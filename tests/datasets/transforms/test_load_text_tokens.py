"""Loading of a sample's text: what comes, what is dropped, and how little is opened."""

import copy
import pickle

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from procrop.datasets import CropDataset
from procrop.datasets.text import TextEntry, TextTable, TextTableError
from procrop.datasets.transforms import LoadTextTokens, PackCropInputs

TOKENS = {"a": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.ones((4, 3), np.float16)}


class FakeTable:
    fingerprint, token_dim, encoder_cfg = "f1", 3, dict(type="WordTextEncoder")
    opened = 0

    @classmethod
    def open(cls, folder):
        assert folder == "text"
        cls.opened += 1
        return cls()

    def __contains__(self, img_id):
        return img_id in TOKENS

    def lookup(self, img_id):
        if img_id not in TOKENS:
            raise TextTableError(f"text: no caption and tokens of {img_id!r}")
        return TextEntry(f"photo {img_id}", TOKENS[img_id])


@pytest.fixture(autouse=True)
def table(monkeypatch):
    monkeypatch.setattr("procrop.datasets.text.TextTable", FakeTable)
    monkeypatch.setattr(FakeTable, "opened", 0)


def test_caption_and_tokens_come_with_the_photo():
    results = LoadTextTokens("text")(dict(img_id="a"))
    assert results["caption"] == "photo a" and set(results) == {"img_id", "caption", "text_tokens"}
    np.testing.assert_array_equal(results["text_tokens"], TOKENS["a"])


def test_a_photo_without_text_is_an_error_unless_allowed():
    with pytest.raises(TextTableError, match="no caption and tokens of 'c'"):
        LoadTextTokens("text")(dict(img_id="c"))
    with pytest.raises(TextTableError):  # one that would be dropped anyhow too
        LoadTextTokens("text", drop_prob=1.0)(dict(img_id="c"))
    assert LoadTextTokens("text", allow_missing=True)(dict(img_id="c")) == dict(img_id="c")
    assert "text_tokens" in LoadTextTokens("text", allow_missing=True)(dict(img_id="a"))


def test_dropping_draws_once_a_sample_whatever_the_probability():
    def after(img_id="a", **options):
        np.random.seed(0)
        LoadTextTokens("text", allow_missing=True, **options)(dict(img_id=img_id))
        return np.random.random()

    assert after() == after(drop_prob=0.5) == after(drop_prob=1.0) == after("c", drop_prob=0.5)
    step = LoadTextTokens("text", drop_prob=0.25)
    np.random.seed(0)
    dropped = ["caption" not in step(dict(img_id="a")) for _ in range(400)]
    np.random.seed(0)
    assert dropped == [bool(number < 0.25) for number in np.random.random(400)]
    assert LoadTextTokens("text", drop_prob=1.0)(dict(img_id="a")) == dict(img_id="a")


def test_opened_once_a_process_and_not_carried_into_copies(monkeypatch):
    step = LoadTextTokens("text")
    assert FakeTable.opened == 0
    step(dict(img_id="a")), step(dict(img_id="b"))
    assert step.text_encoder == dict(fingerprint="f1", token_dim=3, config=dict(type="WordTextEncoder"))
    assert FakeTable.opened == 1
    for other in (pickle.loads(pickle.dumps(step)), copy.deepcopy(step)):
        assert other(dict(img_id="a"))["caption"] == "photo a"
    assert FakeTable.opened == 3
    monkeypatch.setattr("os.getpid", lambda: -5)
    step(dict(img_id="a"))
    assert FakeTable.opened == 4


def test_no_folder_switches_the_step_off():
    step = LoadTextTokens(None)
    assert step(dict(img_id="a")) == dict(img_id="a") and step.text_encoder is None
    assert FakeTable.opened == 0


@pytest.mark.parametrize("drop_prob", [-0.1, 1.5, float("nan")])
def test_bad_probability(drop_prob):
    with pytest.raises(ValueError, match="drop_prob"):
        LoadTextTokens("text", drop_prob=drop_prob)


def test_text_is_packed_and_may_be_absent():
    image = dict(img=np.zeros((5, 6, 3), np.uint8), img_id="a")
    sample = PackCropInputs()(LoadTextTokens("text")(dict(image)))["data_samples"]
    assert sample.metainfo["caption"] == "photo a" and sample.text_tokens.dtype == torch.float16
    np.testing.assert_array_equal(sample.text_tokens.numpy(), TOKENS["a"])
    sample = PackCropInputs()(image)["data_samples"]
    assert "text_tokens" not in sample and "caption" not in sample.metainfo


class Photos(CropDataset):
    """Two photos without files."""

    def load_data_list(self):
        return [dict(img_id=name) for name in TOKENS]


def test_a_dataset_loads_text_first_and_drops_none_of_it_in_tests(monkeypatch):
    text = dict(type="LoadTextTokens", folder="text", drop_prob=1.0)

    def sample(**options):
        with DefaultScope.overwrite_default_scope("procrop"):
            return Photos(pipeline=[lambda results: (results, np.random.random())], **options)[1]

    assert sample(text=text)[0].keys() == {"img_id", "sample_idx"}
    assert sample(text=text, test_mode=True)[0]["caption"] == "photo b"
    assert text["drop_prob"] == 1.0
    kept = sample(text=dict(text, drop_prob=0.0))
    assert kept[0]["caption"] == "photo b" and kept[1] == sample(text=text)[1]
    assert sample(text=None)[0].keys() == {"img_id", "sample_idx"}


def test_a_missing_folder_is_named_with_its_command(monkeypatch, tmp_path):
    monkeypatch.setattr("procrop.datasets.text.TextTable", TextTable)
    with pytest.raises(TextTableError, match=r"nowhere: no such text folder.*python tools/text\.py build"):
        LoadTextTokens(str(tmp_path / "nowhere"))(dict(img_id="a"))

"""From a checkpoint with random weights to crops that are explained."""

from pathlib import Path

import numpy as np
import pytest
from gallery_photos import write_gallery_photos

from procrop.inference import AttentionUndefinedError, CropInferencer, CropRequest, ReferenceChoice
from procrop.io import read_photo
from procrop.visualization import draw_explanation, write_explanation_page

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cropper(tmp_path_factory, gallery, untrained):
    path = untrained(ROOT / "configs/procrop_toy.py", gallery, tmp_path_factory.mktemp("model") / "model.pth")
    return CropInferencer(path, gallery=gallery.folder, device="cpu")


@pytest.fixture(scope="module")
def embedding(cropper, tmp_path_factory):
    (path, *_) = write_gallery_photos(tmp_path_factory.mktemp("photos"), 1)
    return cropper.embed(np.ascontiguousarray(read_photo(path)[:, ::-1]))


def whole(found):
    return found.references.sum(1) + found.photo + found.text + found.null


@pytest.mark.parametrize("ratio", [None, "1:1"])
def test_the_answer_is_the_same_and_says_where_it_looked(cropper, embedding, ratio):
    request = CropRequest(top_k=3, ratio=ratio)
    plain, explained = cropper.answer(embedding, request), cropper.answer(embedding, request, attention=True)
    assert plain.attention is None
    np.testing.assert_array_equal(plain.boxes, explained.boxes)
    np.testing.assert_array_equal(plain.scores, explained.scores)
    found = explained.attention
    assert found.ids.tolist() == [reference.id for reference in explained.references]
    assert found.references.shape == (3, 6) and (found.references > 0).all() and (found.text == 0).all()
    np.testing.assert_allclose(whole(found), 1, atol=1e-6)


def test_a_weight_raises_the_share_and_a_ban_takes_it(cropper, embedding):
    first = cropper.answer(embedding, attention=True)
    name, number = first.references[2].name, first.references[2].id
    often = cropper.answer(
        embedding, CropRequest(references=ReferenceChoice(weights={name: 3})), attention=True
    )
    assert often.attention.of(number) > 1.5 * first.attention.of(number)
    assert len(often.attention.ids) == len(set(often.attention.ids.tolist())) == len(often.references)
    banned = cropper.answer(
        embedding, CropRequest(references=ReferenceChoice(banned=(name,))), attention=True
    )
    assert banned.attention.of(number) == 0
    for found in (often.attention, banned.attention):
        np.testing.assert_allclose(whole(found), 1, atol=1e-6)


def test_it_becomes_a_picture_and_a_page(cropper, embedding, tmp_path):
    result = cropper.answer(embedding, attention=True)
    assert draw_explanation(result).width == 1240
    assert write_explanation_page([result], tmp_path / "report.html") == 1
    text = (tmp_path / "report.html").read_text()
    assert all(reference.name in text for reference in result.references) and text.count("<img") == 4 + 6


def test_a_model_that_fuses_early_says_so_and_answers_without(cropper, embedding, monkeypatch):
    monkeypatch.setattr(cropper.model, "fuse_before_encoder", True)
    with pytest.raises(AttentionUndefinedError, match="before the encoder"):
        cropper.answer(embedding, attention=True)
    assert cropper.answer(embedding).attention is None

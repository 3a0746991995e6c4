"""Pinned, banned and weighted references."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_cropper import write_checkpoint

from procrop.inference import CropInferencer, CropRequest, ReferenceChoice

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture(scope="module")
def cropper(tmp_path_factory, gallery):
    references = dict(type="LoadReferences", gallery=str(gallery.folder), table="gone.npz", k=4)
    retrieval = dict(fingerprint=gallery.fingerprint, token_shape=gallery.token_shape)
    path = write_checkpoint(tmp_path_factory.mktemp("tiny"), references=references, retrieval=retrieval)
    return CropInferencer(path, device="cpu")


@pytest.fixture(scope="module")
def query(gallery):
    return np.ascontiguousarray(np.asarray(Image.open(gallery.photo_path(5)))[2:])


@pytest.fixture(scope="module")
def cosine(gallery, query):
    """Similarities by name, from the encoder's own keys."""
    photos = [np.asarray(Image.open(gallery.photo_path(i))) for i in range(12)]
    keys = gallery.backbone().encode([query, *photos]).keys.astype(np.float64)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    return dict(zip(gallery.names, keys[1:] @ keys[0], strict=True))


def answer(cropper, photo, path=None, **choice):
    request = CropRequest(top_k=1, references=ReferenceChoice(**choice))
    return cropper.crop(photo, path, request=request)


def names(result):
    return [ref.name for ref in result.references]


def test_pinned_come_first_with_their_similarity_then_the_nearest(cropper, query, cosine):
    near = sorted(cosine, key=cosine.get, reverse=True)
    far = near[-1], near[-3]
    result = answer(cropper, query, pinned=far)
    assert names(result) == [*far, *near[:2]] and result.notes == ()
    np.testing.assert_allclose(
        [ref.score for ref in result.references], [cosine[name] for name in names(result)], atol=1e-5
    )
    seen = cropper.model.seen[-1][0].references
    assert seen.ids.tolist() == [ref.id for ref in result.references] and not seen.mask.any()
    # one that is near anyway is not there twice
    assert names(answer(cropper, query, pinned=(near[1],))) == [near[1], near[0], near[2], near[3]]
    assert names(answer(cropper, query, pinned=(near[1], near[1]), k=2)) == [near[1], near[0]]


def test_the_next_one_comes_in_place_of_a_banned_one(cropper, query, cosine):
    near = sorted(cosine, key=cosine.get, reverse=True)
    assert names(answer(cropper, query, banned=(near[0], near[2]))) == [near[1], *near[3:6]]
    assert names(answer(cropper, query, k=12, banned=tuple(near[:11]))) == near[11:]


def test_a_weight_of_none_leaves_a_place_empty(cropper, query, cosine):
    near = sorted(cosine, key=cosine.get, reverse=True)
    result = answer(cropper, query, weights={near[0]: 0, near[11]: 5})
    assert names(result) == near[1:4]
    assert cropper.model.seen[-1][0].references.mask.tolist() == [False] * 3 + [True]
    result = answer(cropper, query, weights={near[1]: 3})
    assert [ref.weight for ref in result.references] == [1, 3, 1, 1]
    seen = cropper.model.seen[-1][0].references
    assert seen.ids.tolist() == [result.references[i].id for i in (0, 1, 1, 1, 2, 3)]


def test_a_photo_is_never_its_own_reference_even_if_it_is_pinned(cropper, gallery):
    path = gallery.photo_path(5)
    result = answer(cropper, path, pinned=("p05.png", "p04.png", "p08.png"))
    assert names(result)[0] == "p08.png" and len(result.references) == 4
    assert not {"p04.png", "p05.png"} & set(names(result))  # 4 is of the same source
    assert result.notes == tuple(
        f"{name} is not pinned: it is the photo itself, or of its source" for name in ("p05.png", "p04.png")
    )
    assert result.to_dict()["notes"] == list(result.notes)


def test_the_photo_is_recognised_after_its_file_is_gone(cropper, gallery, tmp_path):
    copy = tmp_path / "upload.png"
    shutil.copy(gallery.photo_path(5), copy)
    embedding = cropper.embed(copy)
    copy.unlink()
    result = cropper.answer(embedding, CropRequest(references=ReferenceChoice(k=12)))
    assert len(result.references) == 10 and not {"p04.png", "p05.png"} & set(names(result))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (dict(pinned=("p5.png",)), r"no photo 'p5.png' in this gallery; did you mean .*p05.png"),
        (dict(banned=("sunset",)), r"no photo 'sunset' in this gallery; its photos are named like p00.png"),
        (dict(weights={"p99.png": 2}), r"no photo 'p99.png' .*did you mean"),
        (dict(pinned=("source 2",)), "no photo 'source 2'"),
        (dict(pinned=("p01.png",), banned=("p01.png",)), "'p01.png' is pinned and banned"),
        (dict(pinned=("p01.png", "p02.png"), k=1), "2 references are pinned, but k=1"),
        (dict(k=0), "k, the number of references, must be a whole number of at least 1, got 0"),
        (dict(k=2.5), "got 2.5"),
        (dict(weights={"p01.png": 0.5}), "weight of 'p01.png' is how often it counts.*got 0.5"),
        (dict(weights={"p01.png": -1}), "got -1"),
        (dict(weights={"p01.png": 101}), "a whole number from 0 to 100; got 101"),
        (dict(pinned="p01.png"), r"pinned is a tuple of names, got 'p01.png'; write \('p01.png',\)"),
        (dict(banned="p01.png"), "banned is a tuple of names"),
    ],
)
def test_choices_that_cannot_be_are_told_before_any_photo(cropper, choice, message):
    with pytest.raises(ValueError, match=message):
        cropper.check(CropRequest(references=ReferenceChoice(**choice)))


def test_twice_is_as_if_the_gallery_held_it_twice(tmp_path, gallery, untrained, query, cosine):
    import torch
    from mmengine.config import Config

    from procrop.retrieval import GalleryItem, build_gallery

    photos = tmp_path / "photos"
    shutil.copytree(gallery.photo_root, photos)
    second = sorted(cosine, key=cosine.get, reverse=True)[1]
    shutil.copy(photos / second, photos / "the same.png")
    items = [GalleryItem(photos / name, source_id=name) for name in [*gallery.names, "the same.png"]]
    retrieval = Config.fromfile(CONFIGS / "_base_/retrieval/efficientnet_lite0.py").retrieval.to_dict()
    double = build_gallery(tmp_path / "double", items, retrieval, photos)
    path = untrained(CONFIGS / "procrop_toy.py", gallery, tmp_path / "model.pth")
    cropper = CropInferencer(path, gallery=gallery.folder, device="cpu", k=4)
    torch.manual_seed(1)
    for weights in cropper.model.parameters():
        weights.data += 0.05 * torch.randn_like(weights)
    embedding = cropper.embed(query)
    once = cropper.answer(embedding)
    twice = cropper.answer(embedding, CropRequest(references=ReferenceChoice(weights={second: 2})))
    cropper.use_gallery(double.folder)
    held = cropper.answer(embedding, CropRequest(references=ReferenceChoice(k=5)))
    assert [ref.name for ref in held.references][1:3] == [second, "the same.png"]
    np.testing.assert_array_equal(twice.boxes, held.boxes)
    np.testing.assert_array_equal(twice.scores, held.scores)
    assert not np.array_equal(once.scores, twice.scores)


def test_a_photo_that_vanishes_while_it_is_cropped_is_rejected_and_the_next_one_follows(
    cropper, query, gallery, tmp_path, monkeypatch
):
    """Its content must be compared with the gallery's photos, and the next photo is read ahead."""
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for path in paths:
        Image.fromarray(query).save(path)
    gone = str(paths[1])
    embed = cropper._embed

    def embed_late(taken, caption):
        if taken.path == gone:
            paths[1].unlink()
        return embed(taken, caption)

    monkeypatch.setattr(cropper, "_embed", embed_late)
    results = list(cropper.stream(map(str, paths)))
    assert [result.rejected is None for result in results] == [True, False, True]
    assert results[1].rejected == "the file cannot be read any more (No such file or directory)"
    assert (results[1].path, results[1].size) == (gone, query.shape[1::-1])


def test_an_embedded_photo_is_answered_without_its_file(cropper, query, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(query).save(path)
    embedding = cropper.embed(path)
    before = cropper.answer(embedding)
    path.unlink()
    monkeypatch.setattr(cropper.references, "encoder", "another")  # as after use_gallery
    after = cropper.answer(embedding)
    assert after.rejected is None and names(after) == names(before)

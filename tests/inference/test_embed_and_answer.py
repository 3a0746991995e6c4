"""One pass through the image backbone, many answers: each the same as that of a fresh crop."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from PIL import Image
from tiny_cropper import write_checkpoint

from procrop.inference import (
    AttentionUndefinedError,
    CropInferencer,
    CropRequest,
    GalleryMismatchError,
    PhotoRejected,
    ReferenceChoice,
)
from procrop.inference.crop_answer import box_scorer

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def photo(seed=0, size=(160, 120)):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))


def disturbed(cropper):
    """Weights of which every one counts: before training the boxes do not depend on the photo."""
    torch.manual_seed(1)
    for weights in cropper.model.parameters():
        weights.data += 0.05 * torch.randn_like(weights)
    return cropper


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, gallery, untrained):
    return untrained(CONFIGS / "procrop_toy.py", gallery, tmp_path_factory.mktemp("procrop") / "model.pth")


@pytest.fixture(scope="module")
def cropper(checkpoint, gallery):
    return disturbed(CropInferencer(checkpoint, gallery=gallery.folder, device="cpu", k=4))


@pytest.fixture
def passes(cropper):
    """Calls of the image backbone and of the gallery's encoder, by name."""
    counted = []
    hook = cropper.model.backbone.register_forward_hook(lambda *_: counted.append("image"))
    encoder = cropper.references.gallery.query_encoder
    whole = encoder.encode
    encoder.encode = lambda images: counted.append("search") or whole(images)
    yield counted
    hook.remove()
    del encoder.encode


def assert_same(one, other):
    np.testing.assert_array_equal(one.boxes, other.boxes)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.focal_points, other.focal_points)
    assert one.references == other.references and one.rejected is None is other.rejected


REQUESTS = [
    CropRequest(top_k=1),
    CropRequest(top_k=5),
    CropRequest(ratio="1:1", top_k=2),
    CropRequest(ratio="16:9", min_area=0.4),
    CropRequest(subject=(10, 20, 60, 80), references=ReferenceChoice(k=2)),
    CropRequest(references=ReferenceChoice(k=6, pinned=("p09.png",), banned=("p00.png", "p01.png"))),
    CropRequest(references=ReferenceChoice(weights={"p03.png": 3})),
]


def test_many_answers_take_one_pass_and_equal_fresh_crops(cropper, passes):
    embedding = cropper.embed(photo())
    assert passes == ["image", "search"]
    answers = [cropper.answer(embedding, request) for request in REQUESTS]
    assert passes == ["image", "search"]
    for request, answer in zip(REQUESTS, answers, strict=True):
        assert_same(answer, cropper.crop(photo(), request=request))
    assert len({answer.boxes[0].tobytes() for answer in answers}) >= 4
    assert_same(cropper.answer(embedding, REQUESTS[0]), answers[0])  # nothing was changed by the others


def test_an_answer_is_that_of_the_whole_model(cropper, gallery):
    """What a test run with the same references predicts."""
    embedding = cropper.embed(photo())
    result = cropper.answer(embedding, CropRequest(top_k=5))
    data = cropper.pipeline(dict(photo=photo(), img_path=None, img_id="x", source_id="x"))
    found = cropper.references.find(cropper.references.embed(photo()), ReferenceChoice())
    data["data_samples"].references = found.fields
    with torch.no_grad():
        (sample,) = cropper.model.test_step(
            dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]])
        )
    np.testing.assert_array_equal(result.boxes, sample.pred_instances.bboxes[:5].numpy())
    np.testing.assert_array_equal(result.scores, sample.pred_instances.scores[:5].numpy())


def test_an_answer_decodes_once(cropper):
    embedding, decoded = cropper.embed(photo()), []
    hook = cropper.model.bbox_head.register_forward_hook(lambda *_: decoded.append(1))
    try:
        for request in REQUESTS:
            cropper.answer(embedding, request)
    finally:
        hook.remove()
    assert len(decoded) == len(REQUESTS)


def test_another_gallery_for_the_same_embedding(cropper, checkpoint, gallery, tmp_path, passes):
    from gallery_photos import write_gallery_photos
    from mmengine.config import Config

    from procrop.retrieval import GalleryItem, build_gallery

    paths = write_gallery_photos(tmp_path / "photos", 20)[12:]
    retrieval = Config.fromfile(CONFIGS / "_base_/retrieval/efficientnet_lite0.py").retrieval.to_dict()
    other = build_gallery(
        tmp_path / "other", [GalleryItem(p, source_id=p.name) for p in paths], retrieval, tmp_path / "photos"
    )
    embedding = cropper.embed(photo())
    before = cropper.answer(embedding)
    try:
        cropper.use_gallery(other.folder)
        after = cropper.answer(embedding)
    finally:
        cropper.use_gallery(gallery.folder)
    assert passes == ["image", "search"]
    assert {ref.name for ref in after.references} <= {path.name for path in paths}
    fresh = disturbed(CropInferencer(checkpoint, gallery=other.folder, device="cpu", k=4))
    assert_same(after, fresh.crop(photo()))
    assert not np.array_equal(before.boxes, after.boxes)
    assert_same(cropper.answer(embedding), before)
    with pytest.raises(GalleryMismatchError, match="nowhere: no such gallery"):
        cropper.use_gallery("nowhere")
    assert_same(cropper.answer(embedding), before)


def test_a_gallery_of_another_encoder_has_the_photo_encoded_again(cropper):
    embedding = cropper.embed(photo())
    foreign = replace(embedding, query=replace(embedding.query, encoder="0" * 64, embeddings=None))
    assert_same(cropper.answer(foreign), cropper.answer(embedding))


@pytest.mark.parametrize("ratio", ["1:1", "16:9", "4x5"])
def test_a_ratio_is_exact_and_its_crops_can_be_cut(cropper, ratio):
    result = cropper.crop(photo(), request=CropRequest(ratio=ratio))
    width, height = (float(part) for part in ratio.replace("x", ":").split(":"))
    np.testing.assert_array_equal(result.boxes, np.rint(result.boxes))
    for rank, (left, top, right, bottom) in enumerate(result.boxes.astype(int)):
        assert abs((right - left) - (bottom - top) * width / height) <= 0.5 * max(1, width / height)
        np.testing.assert_array_equal(result.cut(rank), photo()[top:bottom, left:right])
    assert (result.focal_points >= result.boxes[:, :2]).all()
    assert (result.focal_points <= result.boxes[:, 2:]).all()


def test_a_ratio_that_a_photo_cannot_give_is_its_rejection(cropper):
    embedding = cropper.embed(photo())
    result = cropper.answer(embedding, CropRequest(ratio="16:9", min_area=0.99))
    assert "at most 75" in result.rejected and result.size == (160, 120)
    assert cropper.answer(embedding, CropRequest(ratio="4:3", min_area=0.99)).rejected is None
    with pytest.raises(ValueError, match=r"has no crops: a crop of 16:9"):
        result.cut()


@pytest.mark.parametrize("config", ["procrop_toy.py", "baselines/gaic_toy.py"])
def test_boxes_are_scored_in_pixels_of_the_original(config, tmp_path, gallery, untrained):
    """The head sees shares of the unpadded photo, whatever size the model works at."""
    retrieval = gallery if config == "procrop_toy.py" else None
    path = untrained(CONFIGS / config, retrieval, tmp_path / "model.pth")
    cropper = disturbed(CropInferencer(path, gallery=retrieval and retrieval.folder, device="cpu"))
    embedding = cropper.embed(photo(size=(317, 120)))
    sample = embedding.sample.clone()
    features = cropper.model.fuse_photo(embedding.features, [sample])
    shares = torch.tensor([[0.5, 0.5, 1, 1], [0.25, 0.4, 0.3, 0.6], [0.8, 0.7, 0.1, 0.2]])
    with torch.no_grad():
        expected = cropper.model.bbox_head.score_boxes(features, shares[None])[0].numpy()
    pixels = bbox_cxcywh_to_xyxy(shares).double().numpy() * [317, 120, 317, 120]
    _, score = cropper.model.bbox_head.predict_and_score(features, [sample])
    scorer = box_scorer(score, (317, 120), torch.device("cpu"))
    np.testing.assert_allclose(scorer(pixels), expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected) > 1e-4 and scorer(np.zeros((0, 4))).shape == (0,)


def test_a_head_that_scores_given_boxes_answers_with_a_ratio(tmp_path, untrained):
    path = untrained(CONFIGS / "baselines/gaic_toy.py", None, tmp_path / "model.pth")
    cropper = CropInferencer(path, device="cpu")
    embedding = cropper.embed(photo())
    square = cropper.answer(embedding, CropRequest(ratio="1:1"))
    sides = square.boxes[:, 2:] - square.boxes[:, :2]
    np.testing.assert_array_equal(sides[:, 0], sides[:, 1])
    assert len(cropper.answer(embedding).boxes) == 3
    with pytest.raises(AttentionUndefinedError, match="GridAnchorHead"):
        cropper.answer(embedding, attention=True)


def test_attention_comes_with_the_crops_when_it_is_asked_for(cropper):
    embedding = cropper.embed(photo())
    request = CropRequest(
        ratio="1:1", references=ReferenceChoice(weights={"p03.png": 2}, pinned=("p03.png",))
    )
    plain, seen = cropper.answer(embedding, request), cropper.answer(embedding, request, attention=True)
    assert_same(plain, seen)
    assert plain.attention is None
    assert seen.attention.ids.tolist() == [ref.id for ref in seen.references]
    assert seen.references[0].weight == 2 and seen.attention.references.shape == (3, 4)


def test_a_caption_can_be_asked_for_later(tmp_path):
    from colour_captions import ColourCaptions

    meta = dict(fingerprint=ColourCaptions().fingerprint, token_dim=4, config=dict(type="ColourCaptions"))
    text = dict(type="LoadTextTokens", folder="gone/text")
    cropper = CropInferencer(write_checkpoint(tmp_path, text=text, text_meta=meta), device="cpu")
    blue = np.full((30, 40, 3), (20, 40, 200), dtype=np.uint8)
    embedding = cropper.embed(blue)
    first, given = cropper.answer(embedding), cropper.answer(embedding, CropRequest(caption="a  boat"))
    assert (first.caption, first.caption_source) == ("something blue", "generated")
    assert (given.caption, given.caption_source) == ("a boat", "given")
    assert cropper.model.embedded == 1
    tokens = [sample.text_tokens.numpy() for sample, _ in cropper.model.seen]
    for seen, caption in zip(tokens, ("something blue", "a boat"), strict=True):
        np.testing.assert_array_equal(seen, ColourCaptions().encode([blue], [caption])[0])
    assert "text_tokens" not in embedding.sample


def test_what_cannot_be_embedded_is_rejected_with_its_reason(tmp_path):
    cropper = CropInferencer(write_checkpoint(tmp_path), device="cpu")
    with pytest.raises(PhotoRejected, match="does not exist") as missing:
        cropper.embed(tmp_path / "none.jpg")
    assert missing.value.path == str(tmp_path / "none.jpg") and missing.value.size is None
    with pytest.raises(PhotoRejected, match="too narrow a strip") as strip:
        cropper.embed(np.zeros((1, 800, 3), np.uint8), name="strip")
    assert strip.value.size == (800, 1) and strip.value.result().to_dict()["path"] == "strip"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (CropRequest(top_k=9), "predicts 4 crops"),
        (CropRequest(ratio="16:0"), "16:0"),
        (CropRequest(min_area=2), "min_area"),
        (CropRequest(references=ReferenceChoice(k=3)), "works without references"),
        (CropRequest(caption="a dog"), "works without text"),
    ],
)
def test_a_request_is_checked_before_any_photo(tmp_path, request_, message):
    cropper = CropInferencer(write_checkpoint(tmp_path), device="cpu")
    for ask in (
        cropper.check,
        lambda r: cropper.stream(["gone.jpg"], r),
        lambda r: cropper(["gone.jpg"], request=r),
        lambda r: cropper.crop("gone.jpg", request=r),
        lambda r: cropper.answer(cropper.embed(photo()), r),
    ):
        with pytest.raises(ValueError, match=message):
            ask(request_)


def test_a_model_that_cannot_be_split_is_refused(tmp_path):
    from mmengine.model import BaseModel

    from procrop.registry import MODELS

    @MODELS.register_module(force=True)
    class WholeCropper(BaseModel):
        def forward(self, inputs, data_samples=None, mode="tensor"):
            return data_samples

    with pytest.raises(ValueError, match="its WholeCropper is no cropper: embed_photo"):
        CropInferencer(write_checkpoint(tmp_path, type="WholeCropper", weights={}), device="cpu")

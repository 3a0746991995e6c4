"""A model that knows cell by cell where the subject is: its embedding says so, and its export too."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from procrop.export import ExportError, OnnxCropper, export_cropper
from procrop.export.crop_graph import CropGraph
from procrop.inference import CropInferencer, CropRequest

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def drawn(width, height):
    """Grey noise with a bright, chequered square on the right."""
    rng = np.random.default_rng(0)
    photo = rng.integers(90, 110, (height, width, 3))
    side = min(width, height) // 2
    top, left = height // 4, width - side - 5
    cells = (np.indices((side, side)) // 8).sum(axis=0) % 2 * 255
    photo[top : top + side, left : left + side] = cells[..., None]
    return photo.astype(np.uint8)


@pytest.fixture(scope="module")
def croppers(tmp_path_factory, untrained):
    folder = tmp_path_factory.mktemp("evidence")
    cfg = Config.fromfile(CONFIGS / "baselines/cdetr_toy.py")
    cfg.model = Config.fromfile(CONFIGS / "_base_/models/procrop_evidence.py").model
    cfg.model.update(context_encoders=None, fusion=None)
    cfg.dump(folder / "evidence.py")
    checkpoint = untrained(folder / "evidence.py", None, folder / "model.pth")
    exported = export_cropper(checkpoint, folder / "onnx")
    assert exported.difference < 1e-4
    return OnnxCropper(folder / "onnx", threads=1), CropInferencer(checkpoint, device="cpu")


@pytest.mark.parametrize("size", [(320, 240), (300, 200), (97, 210), (33, 33)])
def test_the_export_answers_as_the_checkpoint(croppers, size):
    for ratio in ("1:1", "3:1"):
        request = CropRequest(ratio=ratio, top_k=3)
        ours, theirs = (cropper.crop(drawn(*size), request=request) for cropper in croppers)
        assert len(ours.boxes) == len(theirs.boxes) > 0
        np.testing.assert_array_equal(ours.boxes[0], theirs.boxes[0])
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)
        np.testing.assert_allclose(ours.focal_points[0], theirs.focal_points[0], atol=0.05)


def test_an_embedding_says_where_the_subject_is(croppers):
    embedding = croppers[1].embed(drawn(320, 240))
    # the photo is 256 x 192 pixels for the model: cells of 16
    assert embedding.evidence.shape == (12, 16) and (embedding.evidence >= 0).all()
    assert embedding.evidence[3:9, 9:].sum() > 0.5 * embedding.evidence.sum()  # a fifth of the cells
    # untrained predictions lie in the middle; the crop moves to the subject
    result = croppers[1].answer(embedding, CropRequest(ratio="1:2", top_k=1))
    assert result.focal_points[0, 0] > 190 and result.boxes[0, 0] > 100


def test_a_map_covers_the_photo_alone(croppers):
    """Photos whose sides are no multiples of the cells; the padding of the folded map is not told."""
    assert croppers[1].embed(drawn(300, 200)).evidence.shape == (11, 16)  # 256 x 171 pixels


def test_evidence_that_is_another_in_the_export_is_no_success(croppers, monkeypatch):
    from procrop.export import parity

    model = croppers[1].model
    graph = CropGraph(model).eval()
    right = model.see
    monkeypatch.setattr(model, "see", lambda x: right(x)._replace(evidence=right(x).evidence + 0.1))
    with pytest.raises(ExportError, match="the exported model is inf away"):
        parity.check(graph, croppers[0]._model, croppers[0]._scorer, 1)


def test_models_without_evidence_tell_none(untrained, tmp_path):
    checkpoint = untrained(CONFIGS / "baselines/cdetr_toy.py", None, tmp_path / "model.pth")
    cropper = CropInferencer(checkpoint, device="cpu")
    assert cropper.embed(drawn(64, 48)).evidence is None
    features, evidence, _ = cropper.model.see(torch.zeros(1, 3, 64, 64))
    assert evidence is None and torch.equal(features, cropper.model.extract_feat(torch.zeros(1, 3, 64, 64)))

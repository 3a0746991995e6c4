"""Detectors of classes, run for real with random weights."""

import numpy as np
import pytest
import torch
from mmengine.config import Config

from procrop.engine.checkpoint import CheckpointError
from procrop.generation.detectors import MMDetDetector, TorchvisionDetector

MODEL = "ssdlite320_mobilenet_v3_large"
SUBJECT = np.array([10.0, 10, 50, 50])
IMAGE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def torchvision_weights(tmp_path_factory):
    from torchvision.models import get_model

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "ssd.pth"
    model = get_model(MODEL, weights=None, weights_backbone=None, num_classes=4)
    # untrained heads give every box the same scores
    for name, weight in model.head.classification_head.named_parameters():
        if name.endswith("1.bias"):
            torch.nn.init.normal_(weight)
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def mmdet_files(tmp_path_factory):
    from mmdet.registry import MODELS
    from mmengine.registry import DefaultScope

    folder = tmp_path_factory.mktemp("mmdet")
    text = """
model = dict(
    type="YOLOX",
    data_preprocessor=dict(type="DetDataPreprocessor", pad_size_divisor=32),
    backbone=dict(type="CSPDarknet", deepen_factor=0.1, widen_factor=0.125),
    neck=dict(type="YOLOXPAFPN", in_channels=[32, 64, 128], out_channels=32, num_csp_blocks=1),
    bbox_head=dict(type="YOLOXHead", num_classes=3, in_channels=32, feat_channels=32),
    test_cfg=dict(score_thr=0.0, nms=dict(type="nms", iou_threshold=0.65)))
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(96, 96), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"))]))
"""
    (folder / "yolox.py").write_text(text)
    with DefaultScope.overwrite_default_scope("mmdet"):
        torch.manual_seed(0)
        model = MODELS.build(Config.fromfile(folder / "yolox.py").model)
    # random weights make logits of many thousands; a tenth of the head's makes plausible boxes
    with torch.no_grad():
        for weight in model.bbox_head.parameters():
            weight *= 0.1
    torch.save({"state_dict": model.state_dict()}, folder / "yolox.pth")
    return folder / "yolox.py", folder / "yolox.pth"


def _check(all_of_it, threshold, labels):
    """Detections of three detectors: without limits, with a threshold, with a choice of labels."""
    found = all_of_it.detect(IMAGE, SUBJECT)
    assert len(found) > 3 and found.boxes.shape == (len(found), 4)
    assert (found.boxes >= 0).all() and (found.boxes <= (120, 90, 120, 90)).all()
    again = all_of_it.detect(IMAGE, SUBJECT * 0)
    np.testing.assert_array_equal(found.boxes, again.boxes)
    sure = threshold.detect(IMAGE, SUBJECT)
    assert 0 < len(sure) < len(found) and sure.scores.min() >= threshold.score_threshold
    some = labels.detect(IMAGE, SUBJECT)
    assert set(some.labels) == set(labels.labels) and len(some) < len(found)
    assert len({d.fingerprint for d in (all_of_it, threshold, labels)}) == 3


def test_torchvision(torchvision_weights):
    first = TorchvisionDetector(torchvision_weights, MODEL, 4, score_threshold=0)
    found = first.detect(IMAGE, SUBJECT)
    middle, label = float(np.median(found.scores)), int(found.labels[0])
    _check(
        first,
        TorchvisionDetector(torchvision_weights, MODEL, 4, score_threshold=middle),
        TorchvisionDetector(torchvision_weights, MODEL, 4, score_threshold=0, labels=[label]),
    )
    # against torchvision itself
    from torchvision.models import get_model

    model = get_model(MODEL, weights=None, weights_backbone=None, num_classes=4).eval()
    model.load_state_dict(torch.load(torchvision_weights, weights_only=True))
    with torch.no_grad():
        answer = model([torch.from_numpy(IMAGE).permute(2, 0, 1) / 255])[0]
    np.testing.assert_allclose(found.boxes, answer["boxes"].numpy(), rtol=1e-4, atol=1e-3)


def test_mmdet(mmdet_files):
    first = MMDetDetector(*mmdet_files, score_threshold=0)
    found = first.detect(IMAGE, SUBJECT)
    middle, label = float(np.median(found.scores)), int(found.labels[0])
    _check(
        first,
        MMDetDetector(*mmdet_files, score_threshold=middle),
        MMDetDetector(*mmdet_files, score_threshold=0, labels=[label]),
    )


def test_mmdet_sees_blue_first(mmdet_files):
    """Its pipelines load BGR, ours RGB: a picture with swapped channels gives another answer."""
    from mmengine.registry import DefaultScope

    detector = MMDetDetector(*mmdet_files, score_threshold=0)
    found = detector.detect(IMAGE, SUBJECT)
    with DefaultScope.overwrite_default_scope("mmdet"):
        data = detector._pipeline({"img": IMAGE[..., ::-1].copy(), "img_id": 0})
    scores = detector.network.test_step({k: [v] for k, v in data.items()})[0].pred_instances.scores
    # boxes off the canvas are left out, in the same order
    assert np.isclose(found.scores[:50, None], scores.numpy(), rtol=1e-5).any(axis=1).all()
    swapped = detector.detect(IMAGE[..., ::-1].copy(), SUBJECT)
    assert np.abs(swapped.scores[:20] - found.scores[:20]).max() > 1e-5


def test_files_that_are_missing_or_do_not_fit(torchvision_weights, mmdet_files, tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pth: no such weight file"):
        TorchvisionDetector(tmp_path / "none.pth")
    with pytest.raises(ValueError, match="model must be one of .*not 'yolo'"):
        TorchvisionDetector(torchvision_weights, "yolo")
    with pytest.raises(ValueError, match="not weights of ssdlite.* of 9 classes: .* of another shape"):
        TorchvisionDetector(torchvision_weights, MODEL, 9).detect(IMAGE, SUBJECT)
    for files in ((tmp_path / "none.py", mmdet_files[1]), (mmdet_files[0], tmp_path / "none.pth")):
        with pytest.raises(FileNotFoundError, match="none.*: no such (config|weight) file of a detector"):
            MMDetDetector(*files)
    with pytest.raises(CheckpointError, match="does not fit YOLOX"):
        MMDetDetector(mmdet_files[0], torchvision_weights).detect(IMAGE, SUBJECT)

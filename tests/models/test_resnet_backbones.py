"""The stride of the photo's tokens under the two ResNet-50 model bases."""

from pathlib import Path

import pytest
import torch
from builders import build
from mmengine.config import Config

MODELS = Path(__file__).parents[2] / "configs/_base_/models"


@pytest.mark.parametrize(("name", "stride"), [("procrop_r50", 32), ("procrop_r50_dc5", 16)])
def test_tokens_have_the_stride(name, stride):
    cfg = Config.fromfile(MODELS / f"{name}.py").model
    cfg.backbone.init_cfg = None
    cfg.context_encoders = cfg.fusion = None
    cfg.encoder.num_layers = cfg.bbox_head.decoder.num_layers = 1
    model = build(cfg).eval()
    with torch.no_grad():
        feature = model.extract_feat(torch.zeros(1, 3, 128, 96))
    assert feature.shape == (1, 256, 128 // stride, 96 // stride)

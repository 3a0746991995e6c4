"""Conditional DETR weights of either layout fill a ProCrop, which then decodes as the original does."""

import argparse
import logging
from types import SimpleNamespace

import pytest
import torch
from builders import build, photos, sample
from mmengine.config import Config

from procrop.models.utils import load_detr_weights, to_procrop_keys


@pytest.fixture(scope="module")
def procrop_r50():
    cfg = Config.fromfile("configs/_base_/models/procrop_r50.py").model
    cfg.backbone.init_cfg = None
    cfg.backbone.depth = 18
    cfg.neck.in_channels = [512]
    cfg.context_encoders = cfg.fusion = None
    cfg.encoder.num_layers = cfg.bbox_head.decoder.num_layers = 2
    cfg.bbox_head.num_queries = 7
    torch.manual_seed(0)
    return build(cfg).eval(), cfg


def mmdet_twin(cfg):
    """mmdet's own Conditional DETR with random weights in every part."""
    encoder, decoder = cfg.encoder.to_dict(), cfg.bbox_head.decoder.to_dict()
    torch.manual_seed(1)
    twin = build(
        dict(
            type="mmdet.ConditionalDETR",
            num_queries=7,
            data_preprocessor=cfg.data_preprocessor,
            backbone=cfg.backbone,
            neck=cfg.neck,
            encoder=encoder,
            decoder=decoder,
            positional_encoding=dict(num_feats=128, normalize=True),
            bbox_head=dict(
                type="mmdet.ConditionalDETRHead",
                num_classes=80,
                embed_dims=256,
                loss_cls=dict(type="mmdet.FocalLoss", use_sigmoid=True),
            ),
        )
    )
    torch.nn.init.normal_(twin.bbox_head.fc_reg.weight, std=0.1)
    return twin.eval()


def to_official(state):
    """mmdet's keys written as the public repository writes them; the inverse is what is tested."""
    out = {}
    for key, value in state.items():
        if key.startswith("backbone."):
            key = key.replace("backbone.", "backbone.0.body.", 1)
        elif key.startswith("neck."):
            key = key.replace("neck.convs.0.conv", "input_proj")
        elif key == "query_embedding.weight":
            key = "query_embed.weight"
        elif key.startswith("bbox_head."):
            for a, b in (
                ("bbox_head.fc_cls", "class_embed"),
                ("bbox_head.reg_ffn.layers.0.0", "bbox_embed.layers.0"),
                ("bbox_head.reg_ffn.layers.1", "bbox_embed.layers.1"),
                ("bbox_head.fc_reg", "bbox_embed.layers.2"),
            ):
                key = key.replace(a, b)
        else:
            key = "transformer." + key
            for a, b in (
                ("self_attn.attn.", "self_attn."),
                ("ffn.layers.0.0.", "linear1."),
                ("ffn.layers.1.", "linear2."),
                ("post_norm.", "norm."),
                ("norms.0.", "norm1."),
                ("norms.1.", "norm2."),
                ("norms.2.", "norm3."),
            ):
                key = key.replace(a, b)
            for short, part in (("sa", "self_attn"), ("ca", "cross_attn")):
                for name in ("qcontent", "qpos_sine", "qpos", "kcontent", "kpos", "v"):
                    key = key.replace(f"{part}.{name}_proj.", f"{short}_{name}_proj.")
        out[key] = value
    return out


@pytest.mark.parametrize("layout", ["mmdet", "official", "official_ddp"])
def test_decodes_as_mmdet_does_for_the_same_weights(procrop_r50, layout):
    model, cfg = procrop_r50
    twin = mmdet_twin(cfg)
    state = twin.state_dict()
    if layout != "mmdet":
        state = to_official(state)
        assert "transformer.decoder.layers.0.ca_qpos_sine_proj.weight" in state
    if layout == "official_ddp":
        state = {"module." + k: v for k, v in state.items()}
    report = load_detr_weights(model, dict(model=state))
    assert report.unexpected == [] and report.reshaped == []
    assert report.missing == ["bbox_head.cls_branch.bias", "bbox_head.cls_branch.weight"]
    assert len(report.dropped) == 2
    samples = [sample(), sample(shape=(64, 64))]
    samples[1].set_metainfo(dict(batch_input_shape=(64, 96)))
    with torch.no_grad():
        _, boxes = model._forward(photos(2), samples)
        _, expected = twin._forward(photos(2), samples)
    torch.testing.assert_close(boxes, expected, atol=1e-5, rtol=1e-4)
    assert boxes.std() > 0.01


def test_other_number_of_queries_is_reported_not_loaded(procrop_r50):
    model, cfg = procrop_r50
    state = mmdet_twin(cfg).state_dict()
    state["query_embedding.weight"] = torch.zeros(300, 256)
    report = load_detr_weights(model, state)
    assert report.reshaped == ["bbox_head.query_embedding.weight"]
    assert "bbox_head.query_embedding.weight" in report.missing
    assert "reshaped: 1" in str(report)


def test_foreign_checkpoint_is_refused(procrop_r50):
    with pytest.raises(ValueError, match="Conditional DETR of the same width"):
        load_detr_weights(procrop_r50[0], {"layer1.weight": torch.zeros(3)})


def test_classifier_is_dropped_by_name():
    renamed, dropped = to_procrop_keys(
        {"class_embed.weight": torch.zeros(1), "transformer.x": torch.zeros(1)}
    )
    assert dropped == ["class_embed.weight"] and "class_embed.weight" not in renamed


def test_hook_loads_a_public_file_once_and_logs_it(procrop_r50, tmp_path, caplog):
    from procrop.engine.hooks import DETRWeightsHook

    model, cfg = procrop_r50
    twin = mmdet_twin(cfg)
    # the public files keep their command line beside the weights
    path = tmp_path / "ConditionalDETR_r50.pth"
    torch.save(dict(model=to_official(twin.state_dict()), args=argparse.Namespace(lr=1e-4)), path)
    runner = SimpleNamespace(model=model, iter=0, logger=logging.getLogger("test"))
    torch.nn.init.zeros_(model.bbox_head.decoder.post_norm.weight)
    with caplog.at_level("INFO"):
        DETRWeightsHook(str(path)).before_train(runner)
    expected = twin.decoder.post_norm.weight
    assert torch.equal(model.bbox_head.decoder.post_norm.weight, expected)
    assert "tensors loaded" in caplog.text and "dropped: 2" in caplog.text
    torch.nn.init.zeros_(model.bbox_head.decoder.post_norm.weight)
    runner.iter = 10  # resumed
    DETRWeightsHook(str(path)).before_train(runner)
    assert model.bbox_head.decoder.post_norm.weight.sum() == 0

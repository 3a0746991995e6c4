"""Graphs against models, option by option; the reference is the model's own way from data samples."""

import sys
from pathlib import Path

import onnxruntime
import pytest
import torch
from mmengine.model import BaseModule

from procrop.export import ExportError, parity
from procrop.export.crop_graph import CropGraph
from procrop.export.exporter import make_files
from procrop.registry import MODELS

sys.path.append(str(Path(__file__).parents[1] / "models"))

from builders import build, grid_cfg, procrop_cfg  # noqa: E402

REFERENCES = dict(type="ReferenceEncoder", in_channels=8, embed_dims=32, token_grid=(2, 4))
TEXT = dict(type="TextContextEncoder", in_channels=8, embed_dims=32)
FUSION = dict(type="FusionNeck", embed_dims=32, contexts=("references",), num_heads=4, dropout=0.0)


def untrained_graph(cfg, backbone="PatchBackbone"):
    """A model every weight of which counts."""
    torch.manual_seed(0)
    model = build({**cfg, "backbone": dict(type=backbone)}).eval()
    for weights in model.parameters():
        weights.data += 0.05 * torch.randn_like(weights)
    return CropGraph(model).eval()


def sessions_of(graph, divisor=1):
    files = make_files(graph, divisor, {})
    return [onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]) for data in files.values()]


@pytest.mark.parametrize(
    "cfg",
    [
        procrop_cfg(text=True),
        procrop_cfg(
            context_encoders=dict(references=REFERENCES | dict(what="both", num_latents=3, num_heads=4)),
            fuse_before_encoder=True,
        ),
        procrop_cfg(
            context_encoders=dict(
                references=REFERENCES | dict(pooled_grid=(1, 2), similarity=False), text_tokens=TEXT
            ),
            fusion=FUSION | dict(type="ChannelFusionNeck", contexts=("references", "text_tokens")),
        ),
        procrop_cfg(
            context_encoders=dict(references=REFERENCES | dict(projection="mlp", positions=False)),
            fusion=FUSION | dict(context_grid="photo", terms=("attended", "context")),
        ),
        grid_cfg(memory=False, references=False),
        grid_cfg(text=True),
    ],
    ids=["text", "annotations, latents, before", "channels", "photo grid", "grid head", "grid head, memory"],
)
def test_the_graphs_say_what_the_model_says_at_any_size(cfg):
    graph = untrained_graph(cfg)
    sessions = sessions_of(graph)
    assert parity.check(graph, *sessions, divisor=1) < 1e-5
    # and far from any size that was traced or is checked
    case = parity.Case(batch=3, height=2, width=7, references=9, words=12, candidates=11)
    assert parity.largest_difference(graph, *sessions, case, divisor=1) < 1e-5


def test_a_wrong_graph_is_found_out():
    """Weights that change behind the export stand for whatever else may go wrong."""
    graph = untrained_graph(procrop_cfg())
    sessions = sessions_of(graph)
    graph.model.bbox_head.reg_branch.layers[-1].bias.data += 0.01
    assert 1e-4 < parity.largest_difference(graph, *sessions, parity.CHECKED[0], 1) < 0.1
    with pytest.raises(ExportError, match="away from the PyTorch model at Case.*so it cannot be exported"):
        parity.check(graph, *sessions, divisor=1)


@MODELS.register_module()
class PatchBackbone(BaseModule):
    """A backbone of one layer, for fast exports."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 112, 16, 16)

    def forward(self, x):
        return (self.conv(x),)


@MODELS.register_module()
class CountingBackbone(BaseModule):
    """A backbone that does in Python what depends on its input's size."""

    def forward(self, x):
        return (x[:, :, ::16, ::16].repeat(1, 38, 1, 1)[:, :112] / int(x.shape[-1]),)


def test_a_backbone_that_counts_in_python_is_found_out():
    graph = untrained_graph(procrop_cfg(), "CountingBackbone")
    with pytest.raises(ExportError, match="does in Python what depends on the size"):
        parity.check(graph, *sessions_of(graph), divisor=1)


class Other(torch.nn.Module):
    """Some part of a user's own."""


def test_parts_that_cannot_be_exported_are_named():
    model = build(procrop_cfg())
    model.context_encoders["mood"] = Other()
    with pytest.raises(ExportError, match="context 'mood' of a Other cannot be exported"):
        CropGraph(model)
    model = build(procrop_cfg(references=False))
    model.bbox_head = Other()
    with pytest.raises(ExportError, match="Other cannot be exported; CropDETRHead and GridAnchorHead can"):
        CropGraph(model)
    with pytest.raises(ExportError, match="only a ProCrop can be exported, this is a Other"):
        CropGraph(Other())


def test_sams_image_encoder_is_refused_as_backbone(monkeypatch):
    import procrop.export.crop_graph as module

    model = build(procrop_cfg(references=False))
    monkeypatch.setattr(module, "SAMBackbone", type(model.backbone))
    with pytest.raises(ExportError, match="SAMBackbone cannot be exported: .* another image backbone"):
        CropGraph(model)

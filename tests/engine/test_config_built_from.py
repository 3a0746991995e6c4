"""Dicts without a ``type`` are checked against the class that their component makes of them."""

import copy
from pathlib import Path

import pytest
from mmcv.cnn.bricks.transformer import FFN, MultiheadAttention
from mmdet.models import dense_heads, detectors, layers
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from procrop.engine.config_validation import ConfigError, merge_cfg_options, validate_config
from procrop.engine.config_validation.built_from import parts_of
from procrop.registry import MODELS

ROOT = Path(__file__).parents[2]
DECODER = "model.bbox_head.decoder"


@pytest.fixture(scope="module")
def toy():
    cfg = Config.fromfile(ROOT / "configs/procrop_toy.py")
    cfg.model.context_encoders = cfg.model.fusion = None
    return cfg


def build(cfg):
    init_default_scope("procrop")
    return MODELS.build(copy.deepcopy(cfg.model))


def test_what_is_read_is_what_is_built(toy):
    model = build(toy)
    pairs = [(model, "encoder", model.encoder), (model, "positional_encoding", model.positional_encoding)]
    pairs += [(model.bbox_head, "decoder", model.bbox_head.decoder)]
    for transformer in (model.encoder, model.bbox_head.decoder):
        layer = transformer.layers[0]
        pairs += [(transformer, "layer_cfg", layer)]
        pairs += [(layer, f"{name}_cfg", getattr(layer, name)) for name in ("self_attn", "ffn")]
    pairs += [(layer, "cross_attn_cfg", layer.cross_attn)]
    for component, argument, built in pairs:
        assert parts_of(type(component))[argument] == (type(built),), (type(component), argument)


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (detectors.DETR, dict(encoder=layers.DetrTransformerEncoder, decoder=layers.DetrTransformerDecoder)),
        (detectors.DABDETR, dict(encoder=layers.DABDetrTransformerEncoder)),
        (detectors.DINO, dict(decoder=layers.DinoTransformerDecoder)),
        # builds its decoder from another attribute, after its base class has built one: only the first is seen
        (detectors.DDQDETR, dict(encoder=layers.DeformableDetrTransformerEncoder)),
        (dense_heads.MaskFormerHead, dict(transformer_decoder=layers.DetrTransformerDecoder)),
        # skips the __init__ of its base class
        (dense_heads.Mask2FormerHead, dict(transformer_decoder=layers.Mask2FormerTransformerDecoder)),
        (layers.DetrTransformerEncoderLayer, dict(self_attn_cfg=MultiheadAttention, ffn_cfg=FFN)),
    ],
)
def test_parts_of_mmdet_components(component, expected):
    found = parts_of(component)
    assert {name: found[name] for name in expected} == {name: (kind,) for name, kind in expected.items()}


@pytest.mark.parametrize(
    ("place", "key", "right"),
    [
        ("model.encoder", "num_layer", "num_layers"),
        ("model.positional_encoding", "temprature", "temperature"),
        (DECODER, "return_intermedate", "return_intermediate"),
        (f"{DECODER}.layer_cfg", "ffn_cgf", "ffn_cfg"),
        (f"{DECODER}.layer_cfg.cross_attn_cfg", "keep_query_poss", "keep_query_pos"),
        ("model.encoder.layer_cfg.self_attn_cfg", "dropot", "dropout"),
    ],
)
def test_misspelt_keys_in_the_file_and_on_the_command_line(toy, place, key, right):
    cfg = copy.deepcopy(toy)
    cfg.merge_from_dict({f"{place}.{key}": 1})
    with pytest.raises(ConfigError, match=f"unknown key `{key}` at `{place}`.*did you mean `{right}`"):
        validate_config(cfg)
    with pytest.raises(ConfigError, match=f"did you mean `{right}`"):
        merge_cfg_options(copy.deepcopy(toy), [f"{place}.{key}=1"])


def test_a_type_that_the_class_does_not_take(toy):
    cfg = copy.deepcopy(toy)
    cfg.model.encoder.type = "DetrTransformerEncoder"
    with pytest.raises(TypeError, match="type"):
        build(cfg)
    with pytest.raises(ConfigError, match="unknown key `type` at `model.encoder`"):
        validate_config(cfg)


def test_keys_that_only_the_class_knows_can_be_set(toy):
    options = [
        "model.positional_encoding.temperature=20",
        f"{DECODER}.post_norm_cfg.eps=1e-3",
        "model.encoder.layer_cfg.self_attn_cfg.bias=False",  # handed on to torch's attention
        "model.encoder.layer_cfg.norm_cfg.eps=1e-4",
    ]
    cfg = merge_cfg_options(copy.deepcopy(toy), options)
    validate_config(cfg)
    model = build(cfg)
    assert model.positional_encoding.temperature == 20
    assert isinstance(model.bbox_head.decoder.post_norm, nn.LayerNorm)  # the type of the default stays
    assert model.bbox_head.decoder.post_norm.eps == 1e-3
    assert model.encoder.layers[0].norms[0].eps == 1e-4
    assert model.encoder.layers[0].self_attn.attn.in_proj_bias is None
    assert merge_cfg_options(copy.deepcopy(toy), ["model.encoder.num_cp=1"]).model.encoder.num_cp == 1
    with pytest.raises(ConfigError, match="`epss`.*did you mean `eps`"):
        merge_cfg_options(copy.deepcopy(toy), [f"{DECODER}.post_norm_cfg.epss=1e-3"])


class Inner(nn.Module):
    def __init__(self, width, depth=1):
        super().__init__()


@MODELS.register_module()
class DirectForTest(nn.Module):
    def __init__(self, branch=None, tail=None):
        super().__init__()
        self.tail = tail
        self.branch = Inner(**(branch or dict(width=1)))
        self.build_tail()

    def build_tail(self):
        self.tail.setdefault("depth", 2)
        self.tail = Inner(**self.tail)


@MODELS.register_module()
class HandsUpForTest(DirectForTest):
    def __init__(self, tail, **kwargs):
        super().__init__(tail=tail, **kwargs)


@MODELS.register_module()
class PopsForTest(nn.Module):
    def __init__(self, branch, tail, other):
        super().__init__()
        self.number = branch.pop("number")
        self.branch = Inner(**branch)
        self.tail = tail
        del self.tail["number"]
        self.tail = Inner(**self.tail)
        other = {key: other[key] for key in ("width",)}
        self.other = Inner(**other)


@pytest.mark.parametrize("kind", ["DirectForTest", "HandsUpForTest"])
def test_own_components_need_to_declare_nothing(toy, kind):
    cfg = copy.deepcopy(toy)
    cfg.model.neck = dict(type=kind, branch=dict(width=1), tail=dict(width=2, depth=3))
    validate_config(cfg)
    cfg.model.neck = dict(type=kind, branch=dict(widht=1), tail=dict(width=2, deph=3))
    with pytest.raises(ConfigError) as error:
        validate_config(cfg)
    found = [(problem.place, problem.name) for problem in error.value.problems]
    assert found == [("model.neck.branch", "widht"), ("model.neck.tail", "deph")]


def test_nothing_is_said_where_keys_are_taken_out_first(toy):
    cfg = copy.deepcopy(toy)
    more = dict(width=1, number=2)
    cfg.model.neck = dict(type="PopsForTest", branch=dict(more), tail=dict(more), other=dict(more))
    MODELS.build(copy.deepcopy(cfg.model.neck))  # it can be built
    validate_config(cfg)

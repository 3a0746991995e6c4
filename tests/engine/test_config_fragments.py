"""The parts of a config that build no Runner, retrieval, text and gallery source, are checked key by key too."""

import copy

import pytest
from mmengine.config import Config
from refused_configs import refused

from procrop.engine.config_validation import validate_config


def test_retrieval_fragment_without_a_scope():
    validate_config(Config(dict(retrieval=dict(index=dict(type="FaissIndex")))))
    fragment = Config(dict(retrieval=dict(index=dict(type="FaissIndx"))))
    refused(fragment, "retrieval.index", "`FaissIndx`", "did you mean `FaissIndex`?")


BACKBONE = dict(type="EfficientNetLiteRetrieval", variant="lite0")


@pytest.mark.parametrize(
    ("retrieval", "words"),
    [
        (dict(backbone={**BACKBONE, "token_stride": 16}, key_transform=[dict(type="Normalise")]), None),
        (dict(backbone=BACKBONE, token_backbone={**BACKBONE, "device": "cpu"}, index=None), None),
        (dict(backbone={**BACKBONE, "varaint": "lite0"}), ["`retrieval.backbone`", "`variant`"]),
        (
            dict(backbone=BACKBONE, token_backbone={**BACKBONE, "tokn_grid": 4}),
            ["token_backbone", "`token_grid`"],
        ),
        (dict(backbone=BACKBONE, token_backbone=dict(type="FaissIndex")), ["takes RETRIEVAL_BACKBONES"]),
        (dict(backbone=BACKBONE, key_transform=[dict(type="Normalize")]), ["key_transform.0", "`Normalise`"]),
        (
            dict(backbone=BACKBONE, index=dict(type="FaissIndex", factry="Flat")),
            ["retrieval.index", "`factory`"],
        ),
        (dict(backbone=BACKBONE, key_transfrom=None), ["`retrieval`", "`key_transform`"]),
        (
            dict(backbone=dict(variant="lite0")),
            ["`retrieval.backbone` names no `type`", "EfficientNetLiteRetrieval"],
        ),
    ],
)
def test_retrieval_fragment(retrieval, words):
    if words is None:
        validate_config(Config(dict(retrieval=retrieval)))
    else:
        refused(Config(dict(retrieval=retrieval)), *words)


ENCODER = dict(type="WordTextEncoder", token_dim=8)


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        (ENCODER, None),
        ({**ENCODER, "tokn_dim": 8}, ["`text_encoder`", "`token_dim`"]),
        (dict(type="WordTextEncodr"), ["text_encoder", "did you mean `WordTextEncoder`?"]),
        (dict(type="FaissIndex"), ["this place takes TEXT_ENCODERS"]),
        (dict(token_dim=8), ["`text_encoder` names no `type`", "WordTextEncoder"]),
    ],
)
def test_text_encoder_is_checked(encoder, words):
    if words is None:
        validate_config(Config(dict(text_encoder=encoder)))
    else:
        refused(Config(dict(text_encoder=encoder)), *words)


def test_text_beside_the_rest_of_a_config(toy):
    cfg = copy.deepcopy(toy)
    loaded = dict(type="LoadTextTokens", folder="data/toy/text", drop_prob=0.1)
    for split in ("train", "val"):
        cfg[f"{split}_dataloader"].dataset.text = copy.deepcopy(loaded)
    cfg.text_tokens = loaded  # a variable
    validate_config(cfg)
    cfg.text_encoder = ENCODER
    validate_config(cfg)
    cfg.train_dataloader.dataset.text.drop_porb = 0.2
    refused(cfg, "train_dataloader.dataset.text", "did you mean `drop_prob`?")


def test_gallery_source_is_checked():
    source = dict(type="AVASource", root="data/ava", top=100)
    validate_config(Config(dict(gallery_source=source)))
    misspelt = Config(dict(gallery_source={**source, "rating": "a.txt"}))
    refused(misspelt, "gallery_source", "`rating`", "did you mean `ratings`?")
    refused(Config(dict(gallery_source=dict(type="AvaSource"))), "`AvaSource`", "did you mean `AVASource`?")

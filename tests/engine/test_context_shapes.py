"""A model's context tokens take their shapes from gallery and text folder; what is set stays."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from procrop.datasets.text import Caption, TextPhoto, build_text
from procrop.engine.context_shapes import fill_context_shapes
from procrop.models.text import WordTextEncoder
from procrop.retrieval import build_gallery, items_from_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    root = tmp_path_factory.mktemp("shape")
    rng = np.random.default_rng(0)
    (root / "photos").mkdir()
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(root / f"photos/{i}.png")
    backbone = dict(type="EfficientNetLiteRetrieval", image_size=64, token_grid=(3, 5), token_stride=8)
    items = items_from_folder(root / "photos")
    return build_gallery(root / "index", items, dict(backbone=backbone), root / "photos")


@pytest.fixture
def cfg(gallery):
    cfg = Config.fromfile(ROOT / "configs/procrop_toy.py")
    for split in ("train", "val", "test"):
        cfg[f"{split}_dataloader"].dataset.references.gallery = str(gallery.folder)
    return cfg


def test_open_shapes_are_the_gallerys(cfg, gallery):
    fill_context_shapes(cfg)
    encoder = cfg.model.context_encoders.references
    assert encoder.in_channels == gallery.token_shape[1] == 40
    assert tuple(encoder.token_grid) == (3, 5)


def test_what_is_set_stays(cfg):
    cfg.model.context_encoders.references.update(in_channels=7, token_grid=(1, 2))
    for split in ("train", "val", "test"):
        cfg[f"{split}_dataloader"].dataset.references.gallery = "nowhere"
    fill_context_shapes(cfg)
    assert cfg.model.context_encoders.references.in_channels == 7


def test_annotations_need_no_token_shape(cfg):
    for split in ("train", "val", "test"):
        cfg[f"{split}_dataloader"].dataset.references.gallery = "nowhere"
    cfg.model.context_encoders.references.what = "annotation"
    fill_context_shapes(cfg)
    assert cfg.model.context_encoders.references.get("in_channels") is None


def test_a_model_without_references_is_left_alone():
    cfg = Config.fromfile(ROOT / "configs/baselines/cdetr_toy.py")
    before = cfg.pretty_text
    fill_context_shapes(cfg)
    assert cfg.pretty_text == before


def test_missing_galleries_are_named(cfg):
    for split in ("train", "val", "test"):
        cfg[f"{split}_dataloader"].dataset.references.gallery = "no/such/gallery"
    with pytest.raises(ValueError, match="no/such/gallery"):
        fill_context_shapes(cfg)
    for split in ("train", "val", "test"):
        cfg[f"{split}_dataloader"].dataset.references = None
    with pytest.raises(ValueError, match="names a gallery"):
        fill_context_shapes(cfg)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text") / "words"
    encoder = WordTextEncoder(token_dim=13)
    settings = dict(type="WordTextEncoder", token_dim=13)
    return build_text(folder, [TextPhoto("0", "0.png")], encoder, settings, {"0": Caption("a cup")}).table


def with_text(cfg, folder, splits=("train", "val", "test")):
    cfg.model.context_encoders.text_tokens = dict(type="TextContextEncoder", embed_dims=128)
    for split in splits:
        cfg[f"{split}_dataloader"].dataset.text = dict(type="LoadTextTokens", folder=folder)
    return cfg


@pytest.mark.parametrize("splits", [("train", "val", "test"), ("test",)])
def test_the_width_of_text_is_the_text_folders(cfg, gallery, text, splits):
    fill_context_shapes(with_text(cfg, str(text.folder), splits))
    encoders = cfg.model.context_encoders
    assert encoders.text_tokens.in_channels == text.token_dim == 13
    assert encoders.references.in_channels == gallery.token_shape[1]


def test_text_alone_needs_no_gallery(cfg, text):
    cfg.model.context_encoders.pop("references")
    for split in ("train", "val", "test"):
        cfg[f"{split}_dataloader"].dataset.references = None
    fill_context_shapes(with_text(cfg, str(text.folder)))
    assert cfg.model.context_encoders.text_tokens.in_channels == 13


def test_a_width_that_is_set_stays(cfg):
    with_text(cfg, "nowhere").model.context_encoders.text_tokens.in_channels = 5
    fill_context_shapes(cfg)
    assert cfg.model.context_encoders.text_tokens.in_channels == 5


def test_missing_text_folders_are_named(cfg):
    with pytest.raises(ValueError, match=r"no/such/text.*tools/text.py build"):
        fill_context_shapes(with_text(cfg, "no/such/text"))
    with pytest.raises(ValueError, match="TextContextEncoder leaves .* names a text folder"):
        fill_context_shapes(with_text(cfg, None))

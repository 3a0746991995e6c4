"""The text encoders of configs/_base_/text say nothing that their classes do not know."""

import inspect
from pathlib import Path

import pytest
from mmengine import Config

from procrop.registry import TEXT_ENCODERS

FOLDER = Path(__file__).parents[3] / "configs" / "_base_" / "text"
TYPES = {"blip_base": "BLIPTextEncoder", "clip_vit_b32": "CLIPTextEncoder", "words": "WordTextEncoder"}


def encoder(name):
    return dict(Config.fromfile(FOLDER / f"{name}.py").text_encoder)


def test_every_file_is_listed_here():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_names_and_arguments_are_known(name):
    cfg = encoder(name)
    cls = TEXT_ENCODERS.get(cfg.pop("type"))
    assert cls.__name__ == TYPES[name]
    inspect.signature(cls).bind(**cfg)


def test_words_need_no_weights():
    assert TEXT_ENCODERS.build(encoder("words")).token_dim == 64


def test_the_folder_that_a_config_names_is_filled_by_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    command = "hf download Salesforce/blip-itm-base-coco --local-dir weights/blip-itm-base-coco`"
    with pytest.raises(FileNotFoundError, match=command):
        TEXT_ENCODERS.build(encoder("blip_base"))


@pytest.mark.parametrize("name", ["blip_base", "clip_vit_b32"])
def test_missing_weights_say_how_to_fetch_them(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(FileNotFoundError, match="is fetched once with `hf download"):
        TEXT_ENCODERS.build(encoder(name))

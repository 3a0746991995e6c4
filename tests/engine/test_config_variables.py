"""Overrides of a file's variables are refused, since what was made of them are copies; the places are named."""

import copy

import pytest
from mmengine.config import Config

from procrop.engine.config_validation import ConfigError, merge_cfg_options, validate_config


def message(cfg, *options):
    before = copy.deepcopy(cfg)
    with pytest.raises(ConfigError) as error:
        merge_cfg_options(cfg, options)
    assert cfg.to_dict() == before.to_dict()
    return str(error.value)


@pytest.mark.parametrize(
    ("option", "places"),
    [
        (
            "references.k=3",
            [f"{split}_dataloader.dataset.references.k" for split in ("train", "val", "test")],
        ),
        ("data_root=x", [f"{split}_dataloader.dataset.data_root" for split in ("train", "val", "test")]),
        ("train_pipeline.0.type=A", ["train_dataloader.dataset.pipeline.0.type"]),
        ("test_pipeline=[]", [f"{split}_dataloader.dataset.pipeline" for split in ("val", "test")]),
        ("dataset.version=v1", [f"{split}_dataloader.dataset.version" for split in ("train", "val", "test")]),
    ],
)
def test_the_places_that_count_are_named(toy, option, places):
    text = message(copy.deepcopy(toy), option)
    key = option.partition("=")[0]
    assert f"`{key}` has no effect" in text
    assert text.endswith("set " + ", ".join(f"`{place}`" for place in places))
    for place in places:  # and can be set
        merge_cfg_options(copy.deepcopy(toy), {place: 1})


def test_other_overrides_of_the_command_do_not_hide_a_place(toy):
    text = message(copy.deepcopy(toy), "train_dataloader.dataset.references.k=3", "references.k=3")
    assert "`train_dataloader.dataset.references.k`" in text


def test_scalars_count_where_the_key_is_the_same():
    cfg = dict(model=dict(bbox_head=dict(num_classes=3, num_queries=3)), num_classes=3, width=3)
    text = message(Config(cfg), "num_classes=5")
    assert text.endswith("set `model.bbox_head.num_classes`")
    assert "nothing reads" in message(Config(cfg), "width=5")


def test_variables_in_files_and_keys_that_are_read_are_fine(toy):
    cfg = copy.deepcopy(toy)
    cfg.my_variable = dict(a=1)
    validate_config(cfg)
    options = ["load_strict=False", "work_dir=w", "find_unused_parameters=True", "sync_bn=torch"]
    options += ["retrieval.index.factory=HNSW32", "load_from=a.pth"]
    merge_cfg_options(cfg, options)
    validate_config(cfg)
    assert cfg.retrieval.index.factory == "HNSW32" and cfg.load_strict is False

"""Misspelt keys and types are errors with a proposal; right ones never are, on any config that mmdet ships."""

import copy
from pathlib import Path

import mmdet
import pytest
from mmengine.config import Config
from torch import nn

from procrop.engine.config_validation import ConfigError, merge_cfg_options, validate_config
from procrop.registry import MODELS

ROOT = Path(__file__).parents[2]
MMDET_CONFIGS = Path(mmdet.__file__).parent / ".mim" / "configs"
OWN_CONFIGS = [p for p in sorted((ROOT / "configs").rglob("*.py")) if "_base_" not in p.parts]


@pytest.fixture(scope="module")
def toy():
    return Config.fromfile(ROOT / "configs/procrop_toy.py")


def refused(cfg, *words):
    with pytest.raises(ConfigError) as error:
        validate_config(cfg)
    for word in words:
        assert word in str(error.value), str(error.value)


@pytest.mark.parametrize("path", OWN_CONFIGS, ids=lambda p: p.stem)
def test_own_configs_are_fine(path):
    validate_config(Config.fromfile(path))


def test_misspelt_key_deep_down(toy):
    cfg = copy.deepcopy(toy)
    cfg.model.bbox_head.assigner = dict(
        type="HungarianAssigner", match_costs=[dict(type="IoUCost", iou_mod="giou", weight=2.0)]
    )
    refused(cfg, "model.bbox_head.assigner.match_costs.0", "`iou_mod`", "did you mean `iou_mode`?")


def test_misspelt_type(toy):
    cfg = copy.deepcopy(toy)
    cfg.model.fusion.type = "FusoinNeck"
    refused(cfg, "model.fusion", "FusoinNeck", "did you mean `FusionNeck`?")


def test_type_of_another_registry(toy):
    cfg = copy.deepcopy(toy)
    cfg.model.bbox_head.assigner = dict(type="GAICDataset")
    refused(cfg, "model.bbox_head.assigner", "registered in DATASETS", "TASK_UTILS")


@pytest.mark.parametrize(
    ("key", "right"),
    [("trian_cfg", "train_cfg"), ("optim_wraper", "optim_wrapper"), ("test_evalutor", "test_evaluator")],
)
def test_misspelt_top_level_key(toy, key, right):
    cfg = Config(dict(toy.to_dict()))
    cfg[key] = cfg.pop(right)
    refused(cfg, key, right)


def test_free_variables_are_no_problem(toy):
    cfg = copy.deepcopy(toy)
    cfg.my_favourite_number = 7
    cfg.num_gpus = 2
    validate_config(cfg)


class Grandparent(nn.Module):
    def __init__(self, width=1):
        super().__init__()


class Parent(Grandparent):
    def __init__(self, depth=1, **kwargs):
        super().__init__(**kwargs)


@MODELS.register_module()
class KwargsChainForTest(Parent):
    def __init__(self, height=1, **kwargs):
        super().__init__(**kwargs)


def test_kwargs_are_followed_up_the_class_chain(toy):
    cfg = copy.deepcopy(toy)
    cfg.model.neck = dict(type="KwargsChainForTest", height=1, depth=2, width=3)
    validate_config(cfg)
    cfg.model.neck = dict(type="KwargsChainForTest", height=1, widht=4)
    refused(cfg, "`widht`", "did you mean `width`?")


def test_dataset_keys_reach_through_the_base_class(toy):
    cfg = copy.deepcopy(toy)
    cfg.train_dataloader.dataset.skip_bad_photos = True
    cfg.train_dataloader.dataset.lazy_init = False
    validate_config(cfg)
    del cfg.train_dataloader.dataset["skip_bad_photos"]
    cfg.train_dataloader.dataset.skip_bad_photo = True
    refused(cfg, "train_dataloader.dataset", "skip_bad_photos")


def test_all_problems_come_at_once(toy):
    cfg = copy.deepcopy(toy)
    cfg.model.bbox_head.vote_gama = 0.1
    cfg.model.backbone.pretraned = True
    refused(cfg, "2 problems", "`vote_gamma`", "`pretrained`")


def merged(toy, *options):
    return merge_cfg_options(copy.deepcopy(toy), options)


def test_options_of_existing_keys(toy):
    assert merged(toy, "model.bbox_head.num_queries=7").model.bbox_head.num_queries == 7
    scale = merged(toy, "train_dataloader.dataset.pipeline.3.scale=(64,48)")
    assert scale.train_dataloader.dataset.pipeline[3].scale == (64, 48)
    assert merge_cfg_options(copy.deepcopy(toy), {"train_cfg.max_epochs": 3}).train_cfg.max_epochs == 3


def test_option_that_only_the_signature_knows(toy):
    assert "vote_gamma" not in toy.model.bbox_head
    assert merged(toy, "model.bbox_head.vote_gamma=2.5").model.bbox_head.vote_gamma == 2.5


def test_option_of_a_type_comes_before_its_keys(toy):
    cfg = merged(toy, "optim_wrapper.optimizer.momentum=0.9", "optim_wrapper.optimizer.type=SGD")
    assert cfg.optim_wrapper.optimizer.momentum == 0.9


@pytest.mark.parametrize(
    ("option", "right"),
    [
        ("model.bbox_head.num_querys=7", "num_queries"),
        ("model.encoder.num_layrs=3", "num_layers"),
        ("trian_cfg.max_epochs=3", "train_cfg"),
        ("train_dataloader.dataset.references.kk=3", "`k`"),
        ("train_dataloader.dataset.pipeline.30.scale=3", "a list of 5"),
        ("train_cfg.max_epochs.x=3", "no dict"),
        ("train_cfg.max_epochs", "not key=value"),
        ("custom_hooks=[dict(type='DETRWeightsHook', checkpoint='x.pth')]", "config file"),
    ],
)
def test_misspelt_options_are_refused_and_nothing_is_added(toy, option, right):
    cfg = copy.deepcopy(toy)
    with pytest.raises(ConfigError, match=right):
        merge_cfg_options(cfg, [option])
    assert cfg.to_dict() == toy.to_dict()


def check_mmdet(paths):
    """No false alarm; what cannot even be loaded asks for a package that is not here."""
    problems = []
    for path in paths:
        try:
            cfg = Config.fromfile(path)
        except Exception as error:  # a config may fail in any way, but only for one reason
            if "mmpretrain" not in str(error) and "mmtrack" not in str(error):
                problems.append(f"{path}: cannot be loaded: {error}")
            continue
        try:
            validate_config(cfg)
        except ConfigError as error:
            problems.append(f"{path}: {error}")
    assert problems == []


def mmdet_configs():
    paths = sorted(MMDET_CONFIGS.rglob("*.py"))
    assert len(paths) > 800
    return paths


def test_no_false_alarm_on_every_fortieth_mmdet_config():
    check_mmdet(mmdet_configs()[::40])


@pytest.mark.slow
def test_no_false_alarm_on_any_mmdet_config():
    check_mmdet(mmdet_configs())

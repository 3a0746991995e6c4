"""Misspelt keys and types are errors with a proposal; right ones never are, on any config that mmdet ships."""

import copy
from pathlib import Path

import mmdet
import pytest
from mmdet import registry as mmdet_registry
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from refused_configs import refused
from torch import nn

from procrop.engine.config_validation import ConfigError, merge_cfg_options, validate_config
from procrop.registry import MODELS

ROOT = Path(__file__).parents[2]
MMDET_CONFIGS = Path(mmdet.__file__).parent / ".mim" / "configs"
OWN_CONFIGS = [p for p in sorted((ROOT / "configs").rglob("*.py")) if "_base_" not in p.parts]


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


def test_the_nearest_name_counts_even_if_it_is_there_too(toy):
    cfg = copy.deepcopy(toy)
    cfg.model.data_preprocessor.means = [127.0]
    assert "mean" in cfg.model.data_preprocessor
    refused(cfg, "model.data_preprocessor", "`means`", "did you mean `mean`?")


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


# What is wrong with mmdet 3.3.0's own files: these cannot be built, as test_broken_mmdet_configs_are_broken shows.
BROKEN = {
    "bytetrack/bytetrack_yolox_x_8xb4-80e_crowdhuman-mot20train_test-mot20test.py": {"MOTChallengeMetrics"},
    "bytetrack/bytetrack_yolox_x_8xb4-amp-80e_crowdhuman-mot20train_test-mot20test.py": {
        "MOTChallengeMetrics"
    },
    "cascade_rpn/cascade-rpn_r50-caffe_fpn_1x_coco.py": {"sampling"},
    "pascal_voc/faster-rcnn_r50_fpn_1x_voc0712-cocofmt.py": {"eval_mode"},
    "solov2/solov2-light_r18_fpn_ms-3x_coco.py": {"by_epoch"},
    "solov2/solov2-light_r34_fpn_ms-3x_coco.py": {"by_epoch"},
    "solov2/solov2-light_r50-dcn_fpn_ms-3x_coco.py": {"by_epoch"},
    "solov2/solov2-light_r50_fpn_ms-3x_coco.py": {"by_epoch"},
    "v3det/fcos_swinb_fpn_8x4_sample1e-3_mstrain_v3det_2x.py": {"force_grad_on_level"},
}
# These name a _base_ file that mmdet 3.3.0 does not ship.
WITHOUT_BASE = {
    "bytetrack/bytetrack_yolox_x_8xb4-amp-80e_crowdhuman-mot17halftrain_test-mot17test.py",
    "sort/faster-rcnn_r50_fpn_8xb2-4e_mot17train_test-mot17train.py",
    "sort/faster-rcnn_r50_fpn_8xb2-8e_mot20halftrain_test-mot20halfval.py",
    "sort/faster-rcnn_r50_fpn_8xb2-8e_mot20train_test-mot20train.py",
}


def check_mmdet(names):
    """Alarms are raised for BROKEN and for nothing else; what cannot be loaded asks for mmpretrain or a lost base."""
    alarms, unloadable = {}, {}
    for name in names:
        try:
            cfg = Config.fromfile(MMDET_CONFIGS / name)
        except Exception as error:  # a config is a program and may fail in any way
            unloadable[name] = f"{type(error).__name__}: {error}"
            continue
        try:
            validate_config(cfg)
        except ConfigError as error:
            alarms[name] = {problem.name for problem in error.problems}
    assert alarms == {name: BROKEN[name] for name in names if name in BROKEN}
    lost = {name for name, error in unloadable.items() if error.startswith("FileNotFoundError")}
    assert lost == WITHOUT_BASE & set(names)
    assert [
        error for name, error in unloadable.items() if name not in lost and "mmpretrain" not in error
    ] == []


def mmdet_configs():
    names = sorted(path.relative_to(MMDET_CONFIGS).as_posix() for path in MMDET_CONFIGS.rglob("*.py"))
    assert len(names) > 800
    return names


def test_no_false_alarm_on_every_fifteenth_mmdet_config():
    names = mmdet_configs()
    check_mmdet(sorted({*names[::15], *BROKEN, *WITHOUT_BASE}))


@pytest.mark.slow
def test_no_false_alarm_on_any_mmdet_config():
    check_mmdet(mmdet_configs())


def _built(name, part):
    cfg = Config.fromfile(MMDET_CONFIGS / name)
    with DefaultScope.overwrite_default_scope("mmdet"):
        if part == "loop":
            return Runner.build_train_loop(None, cfg.train_cfg)
        if part == "evaluator":
            return mmdet_registry.METRICS.build(cfg.test_evaluator)
        if part == "neck":
            return mmdet_registry.MODELS.build(cfg.model.neck)
        stage = {**cfg.model.rpn_head.stages[0], "train_cfg": cfg.model.train_cfg.rpn[0]}
        return mmdet_registry.MODELS.build({**stage, "test_cfg": cfg.model.test_cfg.rpn})


@pytest.mark.parametrize("name", BROKEN)
def test_broken_mmdet_configs_are_broken(name):
    """What BROKEN says is no false alarm: mmdet and mmengine themselves refuse to build that part, and name the key."""
    (wrong,) = BROKEN[name]
    part = {"by_epoch": "loop", "force_grad_on_level": "neck", "sampling": "stage"}.get(wrong, "evaluator")
    with pytest.raises((TypeError, RuntimeError, KeyError), match=wrong):
        _built(name, part)


def test_variables_that_nothing_reads_are_checked_for_own_components_only():
    validate_config(Config(dict(old_pipeline=[dict(type="mmdet.Resize", img_scale=3), dict(type="Collect")])))
    variable = dict(my_head=dict(type="procrop.CropDETRHead", num_querys=3))
    refused(Config(variable), "my_head", "`num_querys`", "did you mean `num_queries`?")


def test_classes_and_full_paths_are_types_too(toy):
    cfg = copy.deepcopy(toy)
    cfg.model.neck = dict(type=KwargsChainForTest, width=3)
    cfg.optim_wrapper.optimizer.type = "torch.optim.AdamW"
    validate_config(cfg)
    cfg.model.neck = dict(type=KwargsChainForTest, witdh=3)
    refused(cfg, "model.neck", "KwargsChainForTest", "did you mean `width`?")


@pytest.mark.parametrize("kind", ["mae", "conv"])
def test_an_option_called_type_is_no_component(toy, kind):
    cfg = copy.deepcopy(toy)
    cfg.model.bbox_head.my_plan = dict(type=kind, depth=2)
    with pytest.raises(ConfigError) as error:
        validate_config(cfg)
    assert [problem.name for problem in error.value.problems] == [
        "my_plan"
    ]  # the option itself is not judged


def test_what_a_builder_takes_out_is_no_problem(toy):
    cfg = copy.deepcopy(toy)
    norm = dict(type="BN", requires_grad=False, eps=1e-4)
    cfg.model.backbone = dict(type="mmdet.ResNet", depth=50, norm_cfg=norm)
    cfg.custom_hooks = [dict(type="EMAHook", priority=49)]
    validate_config(cfg)
    cfg.model.backbone.norm_cfg = dict(type="BN", requries_grad=False)
    refused(cfg, "model.backbone.norm_cfg", "did you mean `requires_grad`?")


@pytest.mark.parametrize(
    ("hook", "key", "right"),
    [
        (dict(type="EMAHook", momentum=0.1, update_buffers=True), "momentm", "momentum"),
        (dict(type="EMAHook", ema_type="StochasticWeightAverage", interval=2), "momentum", "interval"),
        (dict(type="SafeCheckpointHook", interval=1, max_keep_ckpts=2), "intervl", "interval"),
    ],
)
def test_kwargs_that_are_handed_to_another_component(toy, hook, key, right):
    cfg = copy.deepcopy(toy)
    cfg.custom_hooks = [hook]
    validate_config(cfg)
    cfg.custom_hooks = [{**hook, key: 1}]
    cfg.custom_hooks[0].pop(right, None)
    refused(cfg, "custom_hooks.0", f"`{key}`")


def test_kwargs_of_a_resize_follow_its_type(toy):
    cfg = copy.deepcopy(toy)
    resize = dict(
        type="mmdet.RandomChoiceResize", scales=[(64, 48)], resize_type="mmdet.Resize", keep_ratio=True
    )
    cfg.train_dataloader.dataset.pipeline.append(resize)
    validate_config(cfg)
    place = f"train_dataloader.dataset.pipeline.{len(cfg.train_dataloader.dataset.pipeline) - 1}"
    assert merge_cfg_options(copy.deepcopy(cfg), {f"{place}.backend": "pillow"})
    with pytest.raises(ConfigError, match="did you mean `clip_object_border`"):
        merge_cfg_options(copy.deepcopy(cfg), {f"{place}.clip_object_boder": True})
    cfg.train_dataloader.dataset.pipeline[-1]["keep_ratoi"] = True
    refused(cfg, place, "`keep_ratoi`")


@pytest.mark.parametrize(
    ("place", "key", "right"),
    [
        ("train_dataloader", "num_worker", "num_workers"),
        ("env_cfg", "cudnn_benchmrk", "cudnn_benchmark"),
        ("randomness", "determinstic", "deterministic"),
    ],
)
def test_parts_without_a_type(toy, place, key, right):
    cfg = copy.deepcopy(toy)
    part = {k: v for k, v in (cfg.get(place) or {}).items() if k != right}
    cfg[place] = {**part, key: 1}
    refused(cfg, f"`{place}`", f"`{key}`", f"did you mean `{right}`?")


def test_options_below_free_names(toy):
    cfg = copy.deepcopy(toy)
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
    merge_cfg_options(cfg, ["optim_wrapper.paramwise_cfg.custom_keys.backbone.decay_mult=0"])
    assert cfg.optim_wrapper.paramwise_cfg.custom_keys.backbone == dict(lr_mult=0.1, decay_mult=0)


def test_options_in_a_dict_are_checked_one_by_one(toy):
    cfg = merge_cfg_options(copy.deepcopy(toy), {"model.bbox_head": {"num_queries": 5}})
    assert cfg.model.bbox_head.num_queries == 5
    assert cfg.model.bbox_head.type == toy.model.bbox_head.type
    with pytest.raises(ConfigError, match="did you mean `num_queries`"):
        merge_cfg_options(copy.deepcopy(toy), {"model.bbox_head": {"num_querys": 5}})

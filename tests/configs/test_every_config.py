"""Every config builds, and runs one training and one test iteration on data in its dataset's own release format."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from release_data import ReleaseData
from small_config import point_at, shrink, without_downloads

from procrop.engine.config_validation import ConfigError, validate_config
from procrop.engine.reference_shape import fill_reference_shapes
from procrop.engine.test_overlay import is_overlay, lay_over
from procrop.registry import DATASETS, METRICS, MODELS

CONFIGS = Path(__file__).parents[2] / "configs"
LEAVES = sorted(p.relative_to(CONFIGS).as_posix() for p in CONFIGS.rglob("*.py") if "_base_" not in p.parts)
# the model that test data alone are tested with
TRAINED = CONFIGS / "procrop_toy.py"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return ReleaseData(tmp_path_factory.mktemp("data"))


def read(path, data, small=True):
    """A config as shipped, checked, without downloads, pointed at generated data."""
    cfg = Config.fromfile(CONFIGS / path)
    if is_overlay(cfg):
        cfg = lay_over(cfg, Config.fromfile(TRAINED))
    validate_config(cfg)
    without_downloads(cfg)
    if small:
        shrink(cfg)
    point_at(cfg, data)
    return cfg


def build(cfg):
    fill_reference_shapes(cfg)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


def batch(dataset_cfg):
    dataset = DATASETS.build(
        dict(dataset_cfg, serialize_data=False)
    )  # which collects all garbage of the process
    return pseudo_collate([dataset[i] for i in range(min(2, len(dataset)))])


def train_once(cfg, model):
    """One step of the config's optimiser; every trainable parameter has a part in it."""
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    inputs = model.train().data_preprocessor(batch(cfg.train_dataloader.dataset), training=True)
    loss, _ = model.parse_losses(model(**inputs, mode="loss"))
    assert math.isfinite(loss.item()) and loss.item() > 0
    optimizer.backward(loss)
    idle = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle
    optimizer.step()
    # branches that begin at zero keep what lies behind them still for a step: residual ones, some of fusion
    moved = {
        name.split(".")[0]
        for name, p in model.named_parameters()
        if name in before and not p.equal(before[name])
    }
    assert moved >= {"neck", "bbox_head"}


def test_once(cfg, model):
    """Predictions of one batch through the config's own metrics."""
    inputs = batch(cfg.test_dataloader.dataset)
    with torch.no_grad():
        samples = model.eval().test_step(inputs)
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list | tuple) else [cfg.test_evaluator]
    evaluator = Evaluator([METRICS.build(e) for e in evaluators])
    evaluator.process(samples, inputs)
    figures = evaluator.evaluate(len(samples))
    assert len(figures) > 3 and all(math.isfinite(value) for value in figures.values())


test_once.__test__ = False


@pytest.mark.parametrize("path", LEAVES)
def test_one_iteration(path, data):
    with DefaultScope.overwrite_default_scope("procrop"):
        torch.manual_seed(0)
        cfg = read(path, data)
        model = build(cfg)
        if not path.startswith("transfer/"):
            train_once(cfg, model)
        test_once(cfg, model)


@pytest.mark.slow
@pytest.mark.parametrize("path", LEAVES)
def test_one_iteration_at_full_size(path, data):
    with DefaultScope.overwrite_default_scope("procrop"):
        torch.manual_seed(0)
        cfg = read(path, data, small=False)
        model = build(cfg)
        if not path.startswith("transfer/"):
            train_once(cfg, model)
        test_once(cfg, model)


def test_what_is_wrong_is_noticed(data):
    """A key, a class and a width that do not exist or do not fit."""
    with DefaultScope.overwrite_default_scope("procrop"):
        cfg = Config.fromfile(CONFIGS / "procrop_toy.py")
        cfg.train_dataloader.dataset.type = "GAICDatset"
        with pytest.raises(ConfigError, match="did you mean `GAICDataset`"):
            validate_config(cfg)
        cfg = Config.fromfile(CONFIGS / "procrop_toy.py")
        cfg.model.bbox_head.num_querries = 3
        with pytest.raises(ConfigError, match="did you mean `num_queries`"):
            validate_config(cfg)
        cfg = read("procrop_toy.py", data)
        cfg.model.context_encoders.references.in_channels = 64
        model = build(cfg)
        with pytest.raises(ValueError, match="made by another retrieval backbone"):
            train_once(cfg, model)

"""Test data laid over a checkpoint's config: what comes from which."""

from pathlib import Path

import pytest
from mmengine.config import Config

from procrop.engine.test_overlay import is_overlay, lay_over

CONFIGS = Path(__file__).parents[2] / "configs"


def joined(overlay, trained):
    cfg = Config.fromfile(CONFIGS / overlay)
    cfg.work_dir = "here"
    assert is_overlay(cfg)
    return lay_over(cfg, Config.fromfile(CONFIGS / trained))


def test_model_and_pipeline_are_the_checkpoints():
    trained = Config.fromfile(CONFIGS / "procrop_gaicv2.py")
    merged = joined("transfer/test_on_flms.py", "procrop_gaicv2.py")
    assert not is_overlay(trained)
    assert merged.model == trained.model and merged.work_dir == "here"
    dataset = merged.test_dataloader.dataset
    assert dataset.type == "FLMSDataset" and dataset.pipeline == trained.test_dataloader.dataset.pipeline
    assert dataset.references.table == "data/flms/neighbours_ava.npz"
    assert merged.test_evaluator.ground_truth == "all"


def test_references_are_those_that_the_model_knows():
    assert (
        joined("transfer/test_on_flms.py", "baselines/cdetr_gaicv2.py").test_dataloader.dataset.references
        is None
    )
    trained = "ablations/retrieval_source/gaicv1_annotation.py"
    references = joined("transfer/test_on_gaicv2_cgl.py", trained).test_dataloader.dataset.references
    assert references.what == "annotation" and references.gallery == "data/cgl/gallery_index"
    references = joined(
        "transfer/test_on_flms.py", "ablations/retrieval_count/k05.py"
    ).test_dataloader.dataset.references
    assert references.k == 5


def test_annotated_crops_are_given_only_where_their_ranking_is_measured():
    def candidates(merged):
        return merged.test_dataloader.dataset.pipeline[-1].get("candidates")

    trained = Config.fromfile(CONFIGS / "baselines/gaic_gaicv2.py")
    assert candidates(trained) == "annotated"
    assert candidates(joined("transfer/test_on_flms.py", "baselines/gaic_gaicv2.py")) is None
    cfg = Config.fromfile(CONFIGS / "transfer/test_on_gaicv1.py")
    cfg.test_evaluator = [dict(type="GridAccuracy")]
    assert candidates(lay_over(cfg, trained)) == "annotated"


def test_a_pipeline_is_needed():
    cfg = Config.fromfile(CONFIGS / "transfer/test_on_flms.py")
    with pytest.raises(ValueError, match="test_dataloader.dataset.pipeline"):
        lay_over(cfg, Config(dict(model=dict(type="ProCrop"))))

"""The configs of CAD go through both stages: labels of the real model, and trainings that read them."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from one_iteration import QuickText
from shrunk import shrunk

from procrop.datasets.pseudo_labels import PseudoLabelStore
from procrop.engine.run_config import RunConfig
from procrop.engine.runner import CropRunner

FOLDER = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    "name", ["cad/procrop_cad_small", "cad/procrop_cad_small_references", "cad/procrop_cad_average"]
)
def test_the_second_stage_labels_and_learns(name, data, monkeypatch):
    monkeypatch.setattr(RunConfig, "pretty_text", QuickText.text)
    cfg = shrunk(Config.fromfile(FOLDER / f"{name}.py"), f"stages-{name.replace('/', '-')}")
    data.provide(cfg)
    cfg.train_cfg.update(max_epochs=3, val_interval=3)
    hook = next(h for h in cfg.custom_hooks if h.type == "PseudoLabelHook")
    hook.update(begin_epoch=1, interval=1, num_workers=0)
    # an untrained model predicts what no principle can like
    hook.curation.update(
        min_score=0.0, ratios=None, principles=[], diversity=dict(type="IoUDiversity", max_iou=0.99)
    )
    runner = CropRunner.from_cfg(cfg)
    runner.train()
    store = PseudoLabelStore(Path(cfg.work_dir) / "pseudo_labels")
    assert [entry.epoch for entry in store.versions()] == [1, 2]
    labels = store.read(2)
    dataset = runner.train_dataloader.dataset
    assert set(labels) == {dataset.get_data_info(i)["img_id"] for i in range(len(dataset))}
    for photo in labels.values():
        width, height = photo.size
        assert 1 <= len(photo.boxes) <= 8 and (photo.scores < 5).all()
        assert (photo.boxes >= 0).all() and (photo.boxes <= np.array([width, height] * 2) + 0.01).all()
    step = next(s for s in dataset.pipeline.transforms if hasattr(s, "set_version"))
    assert step.version == 2 and step.labels().keys() == labels.keys()

"""The anchor-based model learns the ranking of eight photos, and its scores reach the metric in the files' order."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import build
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from scipy.stats import pearsonr, spearmanr

from procrop.datasets.toy import ToySettings, write_toy_dataset
from procrop.models.heads import CropFeatures
from procrop.registry import DATASETS, METRICS
from procrop.structures import TokenSet

CONFIG = Path(__file__).parents[2] / "configs/baselines/gaic_toy.py"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Config, folder and the eight photos as one batch; a line in three of the annotations was never scored."""
    root = tmp_path_factory.mktemp("toy")
    write_toy_dataset(root, ToySettings(images=8, gallery=1, splits=(1.0, 0.0, 0.0), size=(256, 192)))
    for file in sorted((root / "annotations/train").iterdir()):
        lines = file.read_text().splitlines()
        lines[1::3] = [line.rsplit(" ", 1)[0] + " -2" for line in lines[1::3]]
        file.write_text("\n".join(lines) + "\n")
    cfg = Config.fromfile(CONFIG)
    with DefaultScope.overwrite_default_scope("procrop"):
        data = DATASETS.build(
            cfg.test_dataloader.dataset | dict(data_root=str(root), split="train", test_mode=True)
        )
    return cfg, root, pseudo_collate([data[i] for i in range(8)])


def file_rows(root, img_id):
    """Scored rows of an annotation file, in file order: x1 y1 x2 y2 MOS."""
    rows = np.loadtxt(root / f"annotations/train/{img_id}.txt")
    return rows[rows[:, 4] != -2][:, [1, 0, 3, 2, 4]]


def test_eight_photos_by_heart(toy):
    """The frozen backbone runs once, then neck and head fit the opinion scores: mean SRCC of at least 0.9."""
    cfg, root, batch = toy
    torch.manual_seed(0)
    model = build(cfg.model)
    model.init_weights()
    ready = model.data_preprocessor(batch, training=True)
    samples = ready["data_samples"]
    with torch.no_grad():
        seen = model.eval().backbone(ready["inputs"])

    def features():
        grid = model.neck(seen)[-1]
        return CropFeatures(grid, TokenSet(grid.flatten(2).transpose(1, 2)))

    parameters = [*model.neck.parameters(), *model.bbox_head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    losses = []
    for _ in range(25):
        loss = model.bbox_head.loss(features(), samples)["loss_mos"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 10

    metric = _metric()
    metric.process({}, [s.to_dict() for s in model.test_step(batch)])
    figures = metric.evaluate(8)
    assert figures["grid/srcc"] >= 0.9, figures
    blind = np.mean([file_rows(root, s.img_id)[:, 4] for s in samples], axis=0)
    by_heart = [spearmanr(blind, file_rows(root, s.img_id)[:, 4]).statistic for s in samples]
    assert np.mean(by_heart) < 0.8  # it takes the photos, not only the places of the crops
    assert figures["grid/mean_acc_5_ties"] > figures["grid/random_mean_acc_5_ties"] + 0.3


def test_scores_reach_the_metric_in_the_order_of_the_file(toy):
    """What the metric reads belongs to the rows of the file, unscored ones left out."""
    cfg, root, batch = toy
    torch.manual_seed(1)
    model = build(cfg.model).eval()
    samples = model.test_step(batch)
    metric = _metric()
    metric.process({}, [s.to_dict() for s in samples])
    figures = metric.evaluate(8)
    srcc, pcc, top = [], [], []
    for s in samples:
        rows = file_rows(root, s.img_id)
        assert len(s.candidate_scores) == len(rows) == len(s.pred_instances) < 87
        np.testing.assert_array_equal(s.gt_crops.bboxes.numpy(), rows[:, :4])
        # the box of each prediction is that of its row
        predicted = s.pred_instances.bboxes[s.pred_instances.rows.argsort()]
        np.testing.assert_allclose(predicted.numpy(), rows[:, :4], atol=0.01)
        scores, mos = s.candidate_scores.numpy(), rows[:, 4]
        srcc.append(spearmanr(scores, mos).statistic)
        pcc.append(pearsonr(scores, mos).statistic)
        top.append(mos[scores.argmax()] >= np.sort(mos)[-5])
    assert figures["grid/srcc"] == pytest.approx(np.mean(srcc), abs=1e-6)
    assert figures["grid/pcc"] == pytest.approx(np.mean(pcc), abs=1e-6)
    assert figures["grid/acc_1/5_ties"] == pytest.approx(np.mean(top))


def _metric():
    with DefaultScope.overwrite_default_scope("procrop"):
        metric = METRICS.build(dict(type="GridAccuracy"))
    metric.dataset_meta = {}
    return metric

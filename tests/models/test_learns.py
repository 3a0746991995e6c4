"""The model learns: eight photos by heart."""

from pathlib import Path

import pytest
import torch
from builders import build
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope

from procrop.datasets.toy import ToySettings, write_toy_dataset
from procrop.engine.context_shapes import fill_context_shapes
from procrop.registry import DATASETS
from procrop.retrieval import NeighbourTable, build_gallery, items_from_folder
from procrop.structures.boxes import box_iou

ROOT = Path(__file__).parents[2]


def with_references(cfg, root):
    """Point the datasets of ``cfg`` at a gallery and a table that are made here."""
    retrieval = Config.fromfile(ROOT / "configs/_base_/retrieval/efficientnet_lite0.py").retrieval
    photos = root / "toy/gallery"
    gallery = build_gallery(root / "index", items_from_folder(photos), retrieval.to_dict(), photos)
    queries = [(path.stem, path.stem, str(path)) for path in sorted((root / "toy/images/train").iterdir())]
    NeighbourTable.build(queries, gallery, k=6).save(root / "table.npz")
    for split in ("train", "val", "test"):
        cfg[f"{split}_dataloader"].dataset.references.update(
            gallery=str(root / "index"), table=str(root / "table.npz")
        )
    fill_context_shapes(cfg)


@pytest.mark.slow
@pytest.mark.parametrize("config", ["baselines/cdetr_toy.py", "procrop_toy.py"])
def test_eight_toy_photos_by_heart(tmp_path, config):
    """The top-1 crop of each photo reaches the best annotated crop: mean IoU of at least 0.9."""
    write_toy_dataset(
        tmp_path / "toy", ToySettings(images=8, gallery=12, splits=(1.0, 0.0, 0.0), size=(256, 192))
    )
    cfg = Config.fromfile(ROOT / "configs" / config)
    if cfg.references:
        with_references(cfg, tmp_path)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("procrop"):
        # only the best crop is positive, so that there is one right answer a photo
        data = DATASETS.build(
            cfg.test_dataloader.dataset
            | dict(data_root=str(tmp_path / "toy"), split="train", positive_threshold=5.1, test_mode=False)
        )
    batch = pseudo_collate([data[i] for i in range(8)])
    assert all(("references" in sample) == bool(cfg.references) for sample in batch["data_samples"])
    model = build(cfg.model)
    model.init_weights()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [250])
    model.train()
    for _ in range(300):
        ready = model.data_preprocessor(batch, training=True)
        losses = model(**ready, mode="loss")
        loss, _ = model.parse_losses(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        samples = model.test_step(batch)
    ious = []
    for sample in samples:
        crops = sample.gt_crops
        best = crops.bboxes[crops.scores.argmax()]
        ious.append(box_iou(sample.pred_instances.bboxes[:1].numpy(), best[None].numpy())[0, 0])
    assert len(ious) == 8
    assert sum(ious) / 8 >= 0.9, ious
    print(f"{config}: mean IoU {sum(ious) / 8:.3f}, least {min(ious):.3f}")

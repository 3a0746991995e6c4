"""A cropper and a CAD small enough for tests of pseudo labels; as a script, a training under torchrun."""

import argparse
from pathlib import Path

import numpy as np
import torch
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from PIL import Image
from tiny_training import LossLogHook, tiny_config
from torch import nn

from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropRecord, CropSet
from procrop.models.heads.base_crop_head import to_pixels
from procrop.registry import MODELS

SIZE, PHOTOS = (64, 48), 10
LOAD = [dict(type="LoadPhoto"), dict(type="LoadPseudoLabels"), dict(type="LoadCropAnnotations")]
TEST = [dict(type="LoadPhoto"), dict(type="LoadCropAnnotations"), dict(type="PackCropInputs")]
CURATION = dict(
    type="AestheticCuration",
    top_k=3,
    min_score=0.0,
    ratios=None,
    principles=[dict(type="KnownAreaKept", minimum=0.3), dict(type="VisualBalance")],
    diversity=dict(type="IoUDiversity", max_iou=0.95),
)


@MODELS.register_module(force=True)
class TinyLabelledCropper(BaseModel):
    """Six crops from the photo's mean colours, pulled towards all positives of the sample in proportion to scores."""

    def __init__(self, dropout=0.1):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.start = nn.Parameter(torch.randn(6, 5, generator=generator))
        self.layer = nn.Linear(3, 30)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        means = torch.stack([image.float().mean((1, 2)) / 255 for image in inputs])
        raw = self.start + 0.3 * self.layer(self.dropout(means)).view(-1, 6, 5)
        scores, centre, side = raw[..., 0].sigmoid(), raw[..., 1:3].sigmoid(), raw[..., 3:].sigmoid()
        side = 0.3 + 0.6 * side
        boxes = torch.cat([centre - side / 2, centre + side / 2], dim=-1).clamp(0, 1)
        if mode == "loss":
            terms = []
            for box, score, sample in zip(boxes, scores, data_samples, strict=True):
                height, width = sample.img_shape
                gt = sample.gt_instances
                target = gt.bboxes / torch.tensor([width, height] * 2)
                gaps = (box[:, None] - target[None]).abs().mean(-1)
                terms.append((gaps.min(0).values * gt.scores).mean() + 0.1 * (score.mean() - 0.5) ** 2)
            return {"loss_gap": torch.stack(terms).mean()}
        for box, score, sample in zip(boxes, scores, data_samples, strict=True):
            score, order = score.sort(descending=True, stable=True)
            sample.pred_instances = InstanceData(bboxes=to_pixels(box[order], sample.ori_shape), scores=score)
        return list(data_samples)


def write_cad(root: Path) -> Path:
    """Ten photos of random blobs, all for training."""
    rng = np.random.default_rng(0)
    records = []
    (root / "images").mkdir(parents=True)
    for n in range(PHOTOS):
        small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize(SIZE, Image.BICUBIC).save(root / f"images/s{n // 2}_{n % 2}.png")
        low = rng.uniform(4, 16, 2)
        known = [*low, *(low + rng.uniform(20, 30, 2))]
        name = f"s{n // 2}_{n % 2}"
        split = {"split": "train"}
        records.append(
            CropRecord(name, f"{name}.png", [known], [5.0], source_id=name[:2], size=SIZE, extra=split)
        )
    found = CropSet("cad", records, root / "images", Problems())
    get_format("cad").save(found, root, None, Problems())
    return root


def labelled(data, folder, hook=None, ema=False, epochs=5, **settings):
    """A training of the tiny cropper; ``hook`` holds options of the PseudoLabelHook, None leaves it out."""
    Path(folder).mkdir(exist_ok=True)
    cfg = tiny_config(folder, epochs=epochs, **settings)
    cfg.model = dict(type="TinyLabelledCropper")
    train = [*LOAD, dict(type="PhotometricDistortion"), dict(type="PackCropInputs")]
    cfg.train_dataloader.dataset = dict(type="CADDataset", data_root=str(data), split="train", pipeline=train)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    cfg.default_hooks.checkpoint.update(save_best=None, max_keep_ckpts=-1)
    hooks = [dict(type="EMAHook", momentum=0.1)] if ema else []
    if hook is not None:
        options = dict(begin_epoch=2, interval=2, curation=CURATION, pipeline=TEST, batch_size=3)
        hooks.append(dict(type="PseudoLabelHook", **(options | hook)))
    cfg.custom_hooks = hooks
    return cfg


def main():
    """Entry point under torchrun."""
    from procrop.engine.runner import CropRunner

    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("folder")
    parser.add_argument("--stop-after", type=int)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    cfg = labelled(args.data, args.folder, dict(batch_size=1), batch=1, launcher="pytorch")
    cfg.model.dropout = 0.0
    cfg.default_hooks.losses.stop_after = args.stop_after
    cfg.resume = args.resume
    assert LossLogHook  # registered
    try:
        CropRunner.from_cfg(cfg).train()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

"""A training small enough for unit tests, random where a real one is: order, workers, dropout, validation."""

import itertools
import json
import random
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset

from procrop.io import PhotoError
from procrop.registry import DATASETS, HOOKS, METRICS, MODELS

_runs = itertools.count()


@DATASETS.register_module(force=True)
class TinyDataset(Dataset):
    """Samples drawn anew from (epoch, index), and jittered by the generators of whichever process loads them."""

    metainfo = {"classes": ("crop",)}

    def __init__(self, length=12, jitter=True, bad_index=None, broken_index=None):
        self.length, self.jitter, self.bad_index, self.broken_index = length, jitter, bad_index, broken_index
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(1000 * int(self.epoch) * self.jitter + index)
        image = torch.randn(3, 8, 8, generator=generator)
        if self.jitter:
            image += 0.1 * torch.randn(3, 8, 8) + 0.1 * random.random() + 0.1 * float(np.random.rand())
        if index == self.bad_index:
            image[0, 0, 0] = float("nan")
        if index == self.broken_index:
            raise PhotoError("photos/a.jpg", "it is cut short")
        sample = TinySample(img_id=f"photo{index}", target=float(image[:, :4].mean()))
        return {"inputs": image, "data_samples": sample}


class TinySample:
    """Stands for a CropDataSample."""

    def __init__(self, img_id, target):
        self.img_id, self.target = img_id, target


@MODELS.register_module(force=True)
class TinyModel(BaseModel):
    """A convolution, dropout and a linear layer."""

    def __init__(self, dropout=0.3, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, 1)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        out = self.head(self.dropout(self.conv(torch.stack(inputs)).relu().mean((2, 3))))[:, 0]
        target = torch.tensor([sample.target for sample in data_samples])
        if mode == "loss":
            return {"loss_mse": ((out - target) ** 2).mean(), "loss_l1": [(out - target).abs().mean() * 0.1]}
        # validation draws numbers: it must not shift what training draws afterwards
        torch.rand(3), random.random(), np.random.rand()
        return [
            {
                "img_id": sample.img_id,
                "error": float((o - t) ** 2),
                "ori_shape": (8, 8),
                "pred_instances": {
                    "bboxes": torch.tensor([[0.0, 1.0, 2.0, 3.0]]),
                    "scores": torch.tensor([0.5]),
                },
            }
            for o, t, sample in zip(out, target, data_samples, strict=True)
        ]


@METRICS.register_module(force=True)
class TinyMetric(BaseMetric):
    """Mean squared error; ``score`` is better when greater. Keeps the photos it saw in order."""

    default_prefix = "tiny"

    def process(self, data_batch, data_samples):
        self.results += [(sample["img_id"], sample["error"]) for sample in data_samples]

    def compute_metrics(self, results):
        errors = [error for _, error in results]
        return {
            "score": -float(np.mean(errors)),
            "photos": len({name for name, _ in results}),
            "rows": len(results),
        }


@HOOKS.register_module(force=True)
class LossLogHook(Hook):
    """Appends (epoch, iteration, loss in full precision) to a JSON-lines file per rank; may stop the run midway."""

    def __init__(self, path, stop_after=None):
        self.path, self.stop_after = path, stop_after

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        with open(f"{self.path}.{runner.rank}", "a") as file:
            ids = [sample.img_id for sample in data_batch["data_samples"]]
            file.write(json.dumps([runner.epoch, runner.iter, outputs["loss"].item().hex(), ids]) + "\n")

    def before_train_epoch(self, runner):
        if self.stop_after is not None and runner.epoch == self.stop_after:
            raise KeyboardInterrupt


def read_losses(path, rank=0):
    """Rows written by LossLogHook."""
    return [tuple(json.loads(line)[:3]) for line in Path(f"{path}.{rank}").read_text().splitlines()]


def tiny_config(folder, *, epochs=4, workers=0, ema=False, dataset=None, model=None, batch=3, **settings):
    """A whole config; ``settings`` replace top-level entries."""
    loader = dict(
        batch_size=batch,
        num_workers=workers,
        persistent_workers=False,
        sampler=dict(type="DefaultSampler", shuffle=True),
        dataset=dict(type="TinyDataset", **(dataset or {})),
    )
    test_loader = dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type="DefaultSampler", shuffle=False),
        dataset=dict(type="TinyDataset", length=5, jitter=False),
    )
    cfg = dict(
        default_scope="procrop",
        work_dir=str(folder),
        # mmengine shares loggers and message hubs between runs of one name, and names have seconds only
        experiment_name=f"tiny{next(_runs)}",
        model=dict(type="TinyModel", **(model or {})),
        train_dataloader=loader,
        val_dataloader=test_loader,
        test_dataloader=test_loader,
        val_evaluator=dict(type="TinyMetric"),
        test_evaluator=dict(type="TinyMetric"),
        train_cfg=dict(type="EpochBasedTrainLoop", max_epochs=epochs, val_interval=1),
        val_cfg=dict(type="ValLoop"),
        test_cfg=dict(type="TestLoop"),
        optim_wrapper=dict(
            type="OptimWrapper",
            optimizer=dict(type="AdamW", lr=1e-2, weight_decay=1e-4),
            clip_grad=dict(max_norm=0.1),
        ),
        param_scheduler=[
            dict(type="LinearLR", start_factor=0.1, begin=0, end=6, by_epoch=False),
            dict(type="MultiStepLR", begin=0, end=epochs, by_epoch=True, milestones=[2], gamma=0.1),
        ],
        default_hooks=dict(
            logger=dict(type="LoggerHook", interval=2),
            checkpoint=dict(
                type="SafeCheckpointHook",
                interval=1,
                max_keep_ckpts=2,
                save_best="tiny/score",
                rule="greater",
            ),
            sampler_seed=dict(type="DistSamplerSeedHook"),
            epoch_seed=dict(type="EpochSeedHook"),
            non_finite_loss=dict(type="NonFiniteLossHook"),
            retrieval_fingerprint=dict(type="RetrievalFingerprintHook"),
            losses=dict(type="LossLogHook", path=str(Path(folder) / "losses")),
        ),
        custom_hooks=[dict(type="EMAHook", momentum=0.1)] if ema else [],
        randomness=dict(seed=3),
        env_cfg=dict(dist_cfg=dict(backend="nccl")),
    )
    cfg.update(settings)
    return Config(cfg)

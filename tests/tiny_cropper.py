"""A cropper small enough to be checked by hand, and checkpoints of it as the training writes them."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import nn

from procrop.registry import MODELS


@MODELS.register_module()
class TinyCropper(BaseModel):
    """Predicts N boxes that grow from the middle of the photo; the score falls with the box.

    With references, the first box's score is the first reference's similarity / 2, so a test sees what arrived.
    """

    def __init__(self, num_queries=4, spoil=""):
        super().__init__(data_preprocessor=dict(type="mmdet.DetDataPreprocessor", mean=[0] * 3, std=[1] * 3))
        self.bbox_head = nn.Module()
        self.bbox_head.num_queries = num_queries
        self.scale = nn.Parameter(torch.ones(()))
        self.spoil = spoil
        self.seen = []

    def forward(self, inputs, data_samples=None, mode="tensor"):
        assert mode == "predict" and not self.training
        for sample, photo in zip(data_samples, inputs, strict=True):
            self.seen.append((sample, photo))
            sample.pred_instances = self._crops(sample)
        return data_samples

    def _crops(self, sample):
        if self.spoil == "memory":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        if self.spoil == "bug":
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        height, width = sample.ori_shape
        count = self.bbox_head.num_queries
        half = self.scale * torch.arange(1, count + 1) / (2 * count)
        boxes = torch.stack([0.5 - half, 0.5 - half, 0.5 + half, 0.5 + half], 1)
        scores = 0.9 - 0.1 * torch.arange(count)
        if "references" in sample:
            scores[0] = sample.references.scores[0] / 2
        if self.spoil == "nan":
            scores[0], boxes[1, 2] = torch.nan, torch.nan
        if self.spoil == "all nan":
            scores = scores * torch.nan
        return InstanceData(bboxes=boxes * torch.tensor([width, height] * 2), scores=scores)


def write_checkpoint(
    folder: Path, references=None, retrieval=None, scale=1.0, text=None, text_meta=None, **model
) -> Path:
    """Write a checkpoint in the form of a training; returns its path.

    ``references`` and ``text`` are settings of the test dataset, ``retrieval`` and ``text_meta`` what the training
    records of the encoders; with ``type`` and ``weights`` it holds another model than a TinyCropper.
    """
    weights = model.pop("weights", {"scale": torch.tensor(float(scale))})
    pipeline = [
        dict(type="LoadPhoto"),
        dict(type="LoadCropAnnotations"),
        dict(type="mmengine.Resize", scale=(64, 48), keep_ratio=True),
        dict(type="PackCropInputs"),
    ]
    dataset = dict(
        type="GAICDataset", data_root="nowhere", references=references, text=text, pipeline=pipeline
    )
    cfg = Config(
        dict(
            default_scope="procrop",
            model=dict(type="TinyCropper") | model,
            test_dataloader=dict(batch_size=8, dataset=dataset),
        )
    )
    path = folder / "epoch_1.pth"
    torch.save(
        dict(
            state_dict=weights,
            meta=dict(
                cfg=cfg.pretty_text,
                procrop=dict(config=cfg.pretty_text, retrieval=retrieval, text=text_meta),
            ),
        ),
        path,
    )
    return path

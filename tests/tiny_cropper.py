"""A cropper small enough to be checked by hand, and checkpoints of it as the training writes them."""

from dataclasses import dataclass
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
    ``seen`` lists sample and pixels of every answer, ``embedded`` counts the photos that passed the backbone.
    """

    def __init__(self, num_queries=4, spoil=""):
        super().__init__(data_preprocessor=dict(type="mmdet.DetDataPreprocessor", mean=[0] * 3, std=[1] * 3))
        self.bbox_head = TinyHead(num_queries, spoil)
        self.scale = nn.Parameter(torch.ones(()))
        self.seen = []
        self.embedded = 0

    def embed_photo(self, inputs, data_samples):
        assert not self.training
        self.embedded += len(inputs)
        return TinyFeatures(inputs)

    def fuse_photo(self, photo, data_samples):
        self.seen.extend(zip(data_samples, photo.feature_map, strict=True))
        return TinyFeatures(photo.feature_map, self.scale)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        assert mode == "predict"
        features = self.fuse_photo(self.embed_photo(inputs, data_samples), data_samples)
        for sample, crops in zip(data_samples, self.bbox_head.predict(features, data_samples), strict=True):
            sample.pred_instances = crops
        return data_samples


@dataclass
class TinyFeatures:
    feature_map: torch.Tensor
    scale: torch.Tensor | None = None


class TinyHead(nn.Module):
    def __init__(self, num_queries, spoil):
        super().__init__()
        self.num_queries, self.spoil = num_queries, spoil

    def predict(self, features, data_samples):
        return [self._crops(sample, features.scale) for sample in data_samples]

    def score_boxes(self, features, boxes):
        """The share of the photo outside the box: small boxes are good."""
        return 1 - boxes[..., 2] * boxes[..., 3]

    def predict_and_score(self, features, data_samples):
        return self.predict(features, data_samples), lambda boxes: self.score_boxes(features, boxes)

    def _crops(self, sample, scale):
        if self.spoil == "memory":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        if self.spoil == "bug":
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        height, width = sample.ori_shape
        half = scale * torch.arange(1, self.num_queries + 1) / (2 * self.num_queries)
        boxes = torch.stack([0.5 - half, 0.5 - half, 0.5 + half, 0.5 + half], 1)
        scores = 0.9 - 0.1 * torch.arange(self.num_queries)
        if "references" in sample:
            scores[0] = sample.references.scores[0] / 2
        if self.spoil == "nan":
            scores[0], boxes[1, 2] = torch.nan, torch.nan
        if self.spoil == "all nan":
            scores = scores * torch.nan
        return InstanceData(bboxes=boxes * torch.tensor([width, height] * 2), scores=scores)


def write_checkpoint(
    folder: Path,
    references=None,
    retrieval=None,
    scale=1.0,
    text=None,
    text_meta=None,
    resize="mmengine.Resize",
    **model,
) -> Path:
    """Write a checkpoint in the form of a training; returns its path.

    ``references`` and ``text`` are settings of the test dataset, ``retrieval`` and ``text_meta`` what the training
    records of the encoders; with ``type`` and ``weights`` it holds another
    model than a TinyCropper; ``resize`` names the class that resizes.
    """
    weights = model.pop("weights", {"scale": torch.tensor(float(scale))})
    pipeline = [
        dict(type="LoadPhoto"),
        dict(type="LoadCropAnnotations"),
        dict(type=resize, scale=(64, 48), keep_ratio=True),
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

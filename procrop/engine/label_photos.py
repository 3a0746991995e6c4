"""A teacher's crops of training photos, curated: one process's share of a version of pseudo labels."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from procrop.datasets.base import AnnotationError, CropDataset
from procrop.datasets.pseudo_labels import PhotoLabels
from procrop.generation.curation import AestheticCuration, PhotoFacts
from procrop.generation.curation.measure import measure_facts
from procrop.io import PhotoError


class PhotoLabeller:
    """Labels the photos of datasets, each process its share; a function of weights, photos and settings alone.

    Args:
        datasets: Training data in test mode, whose pipeline keeps ``gt_*`` out of the geometry of the photo.
        curation: Chooses among the predicted crops.
        batch_size: Photos a step.
        num_workers: Processes that load them.
        measure: Whether saliency, horizon and, where it is not annotated, the subject are measured in the photos. What
            was measured is kept, a few kilobytes a photo.
    """

    def __init__(
        self,
        datasets: Sequence[CropDataset],
        curation: AestheticCuration,
        batch_size: int = 8,
        num_workers: int = 0,
        measure: bool = True,
    ) -> None:
        self.datasets, self.curation = list(datasets), curation
        self.batch_size, self.num_workers, self.measure = batch_size, num_workers, measure
        self._facts: dict[str, PhotoFacts] = {}

    def label(
        self, model: torch.nn.Module, previous: dict[str, PhotoLabels], rank: int = 0, world_size: int = 1
    ) -> tuple[list[PhotoLabels], Counter]:
        """Label one process's share of the photos.

        Args:
            model: The teacher, an mmengine BaseModel whose predictions have ``pred_instances``.
            previous: The labels so far, by photo.
            rank: Of this process.
            world_size: Number of processes.

        Returns:
            Labels of every photo of the share, also those with none, and how many crops were left out for what reason.
            A photo that cannot be read is left out where its dataset skips bad photos.
        """
        photos, rejected = [], Counter()
        training = model.training
        model.eval()
        try:
            with torch.no_grad():
                for dataset in self.datasets:
                    for info, image, sample in self._predicted(model, dataset, rank, world_size):
                        labels, reasons = self._curated(dataset, info, image, sample, previous)
                        photos.append(labels)
                        rejected.update(reasons)
        finally:
            model.train(training)
        return photos, rejected

    def _predicted(
        self, model: torch.nn.Module, dataset: CropDataset, rank: int, world_size: int
    ) -> Iterator[tuple[dict, np.ndarray, Any]]:
        """What is known of each photo of the share, its pixels (h, w, 3) as the model sees them, and its crops."""
        share = _Share(dataset, range(rank, len(dataset), world_size))
        loader = DataLoader(share, self.batch_size, num_workers=self.num_workers, collate_fn=_batch)
        for rows, batch in loader:
            if not rows:
                continue
            images = [image.permute(1, 2, 0).numpy() for image in batch["inputs"]]
            samples = model.test_step(batch)
            for row, image, sample in zip(rows, images, samples, strict=True):
                yield dataset.get_data_info(row), image, sample

    def _curated(
        self,
        dataset: CropDataset,
        info: dict,
        image: np.ndarray,
        sample: Any,
        previous: dict[str, PhotoLabels],
    ) -> tuple[PhotoLabels, dict[str, int]]:
        facts = self._facts_of(info, image, sample.ori_shape)
        crops = sample.pred_instances
        before = previous.get(info["img_id"])
        chosen = self.curation(
            crops.bboxes.cpu().numpy(),
            crops.scores.cpu().numpy(),
            facts,
            None if before is None else (before.boxes, before.predicted),
        )
        name = os.path.relpath(info["img_path"], dataset.data_root).replace(os.sep, "/")
        labels = PhotoLabels(
            info["img_id"], facts.known, chosen.boxes, chosen.scores, chosen.predicted, facts.size, name
        )
        return labels, chosen.rejected

    def _facts_of(self, info: dict, image: np.ndarray, shape: tuple[int, int]) -> PhotoFacts:
        if (facts := self._facts.get(info["img_id"])) is not None:
            return facts
        best = int(np.argmax(info["gt_scores"]))
        known = np.asarray(info["gt_bboxes"][best], np.float64)
        common = dict(
            size=(shape[1], shape[0]),
            known=known,
            known_score=float(info["gt_scores"][best]),
            subject=info.get("subject_bbox"),
        )
        if self.measure:
            facts = measure_facts(image, **common)
            self._facts[info["img_id"]] = facts
            return facts
        return PhotoFacts(**common)


class _Share(Dataset):
    """The samples of some rows; None for a photo that cannot be used where its dataset skips such."""

    def __init__(self, dataset: CropDataset, rows: range) -> None:
        self.dataset, self.rows = dataset, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[int, dict | None]:
        row = self.rows[index]
        try:
            return row, self.dataset[row]
        except (PhotoError, AnnotationError):
            if not self.dataset.skip_bad_photos:
                raise
            return row, None


def _batch(samples: list[tuple[int, dict | None]]) -> tuple[list[int], dict[str, list]]:
    """Rows, and the samples as lists by key, as a model's ``test_step`` takes them; without those that are None."""
    good = [(row, sample) for row, sample in samples if sample is not None]
    keys = good[0][1] if good else ()
    return [row for row, _ in good], {key: [sample[key] for _, sample in good] for key in keys}

"""Accuracy of free-form crops by IoU >= eps, both protocols."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from procrop.evaluation.functional.floors import random_best_crop_recall, random_topn_accuracy
from procrop.evaluation.functional.ranking import TIES
from procrop.evaluation.functional.topn_accuracy import best_crop_recall, topn_accuracy
from procrop.evaluation.metrics.photo_metric import PhotoMetric
from procrop.evaluation.metrics.photo_record import PhotoRecord
from procrop.registry import METRICS
from procrop.structures.boxes import box_iou


@METRICS.register_module()
class CropTopNAccuracy(PhotoMetric):
    """ACC_{K/N} with eps, its average over K, and the recall of the best crop (the protocol of Jia et al. 2022).

    Keys: ``acc/acc_1/5@0.85`` (share of the top K = 1 predictions that equal one of the N = 5 best annotated crops),
    ``acc/mean_acc_5@0.85`` (mean over the given K), ``acc/best_crop_recall_5@0.85`` (does one of the top 5 predictions
    equal the single best annotated crop?). ``_ties`` is added to the key when ties are included, ``_1to1`` when
    matching is one-to-one. Floors of a random ranking of the annotated crops carry the prefix ``random_``.

    All valid annotated crops compete for the top N, not the positive ones only; with fewer than N all are in it.

    Args:
        eps: Smallest IoU of a hit, one or several.
        ns: The values of N.
        ks: The values of K.
        ties: ``"file_order"`` or ``"include"``, see :func:`~procrop.evaluation.functional.top_crops`.
        one_to_one: Whether an annotated crop serves one prediction only (ACC_{K/N}).
        floors: Whether to compute the floors.
        repeats: Random rankings drawn per photo for the floor of one-to-one matching; the others are exact.
        seed: Seed of these draws, joined with the photo's name.
        collect_device: Where results of several processes are gathered.
        prefix: Replaces the prefix ``acc`` of the keys.

    Raises:
        ValueError: If an option is out of range.
    """

    default_prefix = "acc"

    def __init__(
        self,
        eps: float | Sequence[float] = 0.85,
        ns: Sequence[int] = (5, 10),
        ks: Sequence[int] = (1, 2, 3, 4),
        ties: str = "file_order",
        one_to_one: bool = False,
        floors: bool = True,
        repeats: int = 200,
        seed: int = 0,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.eps = (eps,) if isinstance(eps, (int, float)) else tuple(eps)
        if not all(0 < value <= 1 for value in self.eps):
            raise ValueError(f"eps is an IoU above 0 and at most 1, got {eps!r}")
        if ties not in TIES:
            raise ValueError(f"ties must be one of {TIES}, got {ties!r}")
        if not ns or not ks or min(ns) < 1 or min(ks) < 1:
            raise ValueError(f"ns and ks need values of 1 or more, got {ns!r} and {ks!r}")
        if repeats < 1:
            raise ValueError(f"repeats must be 1 or more, got {repeats}")
        self.ns, self.ks, self.ties, self.one_to_one = tuple(ns), tuple(ks), ties, one_to_one
        self.floors, self.repeats, self.seed = floors, repeats, seed

    def _named(
        self, prefix: str, n: int, eps: float, accuracy: np.ndarray, recall: float
    ) -> dict[str, float]:
        ties = "_ties" if self.ties == "include" else ""
        end = f"@{eps:g}{ties}{'_1to1' if self.one_to_one else ''}"
        figures = {f"{prefix}acc_{k}/{n}{end}": float(v) for k, v in zip(self.ks, accuracy, strict=True)}
        figures[f"{prefix}mean_acc_{n}{end}"] = float(np.mean(accuracy))
        figures[f"{prefix}best_crop_recall_{n}@{eps:g}{ties}"] = recall
        return figures

    def evaluate_photo(self, record: PhotoRecord, sample: Mapping) -> dict[str, float | None]:
        """Compute both protocols and their floors for one photo."""
        mos, seed = record.mos, (self.seed, zlib.crc32(record.img_id.encode()))
        iou = box_iou(record.pred, record.gt)
        among = box_iou(record.gt, record.gt) if self.floors else None
        figures = {}
        for eps in self.eps:
            for n in self.ns:
                accuracy = topn_accuracy(iou, mos, n, self.ks, eps, self.ties, self.one_to_one)
                figures |= self._named("", n, eps, accuracy, best_crop_recall(iou, mos, n, eps, self.ties))
                if among is not None:
                    floor = random_topn_accuracy(
                        among, mos, n, self.ks, eps, self.ties, self.one_to_one, self.repeats, seed
                    )
                    recall = random_best_crop_recall(among, mos, n, eps, self.ties)
                    figures |= self._named("random_", n, eps, floor, recall)
        return figures

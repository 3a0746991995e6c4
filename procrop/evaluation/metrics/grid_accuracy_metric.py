"""Exact-grid accuracy and correlations, for rankers only."""

from collections.abc import Mapping, Sequence

import numpy as np

from procrop.evaluation.functional.floors import random_grid_accuracy, random_weighted_grid_accuracy
from procrop.evaluation.functional.grid_accuracy import grid_accuracy, pcc, srcc, weighted_grid_accuracy
from procrop.evaluation.metrics.photo_metric import PhotoMetric
from procrop.evaluation.metrics.photo_record import PhotoRecord, to_numpy
from procrop.registry import METRICS


@METRICS.register_module()
class GridAccuracy(PhotoMetric):
    """Exact-grid ACC_{K/N}, weighted ACC, SRCC and PCC of a model that scores the annotated crops themselves.

    Reads ``candidate_scores`` (n,) of every sample: one score per row of ``gt_crops``. Keys: ``grid/acc_1/5``,
    ``grid/mean_acc_5``, ``grid/wacc_1/5``, ``grid/srcc``, ``grid/pcc``; floors of a random ranking carry ``random_``.
    Ties count: a crop is right if its MOS is at least that of the N-th best. Photos whose crops all have one MOS have
    no correlation and are left out of its mean.

    Args:
        ns: The values of N.
        ks: The values of K.
        betas: Price of a rank in the weighted ACC, one for each N.
        floors: Whether to compute the floors.
        collect_device: Where results of several processes are gathered.
        prefix: Replaces the prefix ``grid`` of the keys.

    Raises:
        ValueError: If an option is out of range.
    """

    default_prefix = "grid"

    def __init__(
        self,
        ns: Sequence[int] = (5, 10),
        ks: Sequence[int] = (1, 2, 3, 4),
        betas: Sequence[float] = (0.2, 0.1),
        floors: bool = True,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(needs_predictions=False, collect_device=collect_device, prefix=prefix)
        if not ns or not ks or min(ns) < 1 or min(ks) < 1:
            raise ValueError(f"ns and ks need values of 1 or more, got {ns!r} and {ks!r}")
        if len(betas) != len(ns):
            raise ValueError(f"betas needs one value for each N: {len(betas)} for {len(ns)}")
        self.ns, self.ks, self.betas, self.floors = tuple(ns), tuple(ks), tuple(betas), floors

    def _scores(self, record: PhotoRecord, sample: Mapping) -> np.ndarray:
        scores = sample.get("candidate_scores")
        if scores is None:
            raise ValueError(
                f"photo {record.img_id!r} carries no candidate_scores: exact-grid accuracy is defined only for models "
                "that score the annotated crops themselves; use CropTopNAccuracy for predicted crops"
            )
        scores = to_numpy(scores).astype(np.float64)
        if scores.shape != record.valid.shape:
            raise ValueError(
                f"photo {record.img_id!r}: candidate_scores of shape {scores.shape} for {len(record.valid)} gt_crops"
            )
        return scores[record.valid]

    def _named(self, prefix: str, n: int, accuracy: np.ndarray, weighted: np.ndarray) -> dict[str, float]:
        figures = {f"{prefix}acc_{k}/{n}": float(v) for k, v in zip(self.ks, accuracy, strict=True)}
        figures[f"{prefix}mean_acc_{n}"] = float(np.mean(accuracy))
        return figures | {f"{prefix}wacc_{k}/{n}": float(v) for k, v in zip(self.ks, weighted, strict=True)}

    def evaluate_photo(self, record: PhotoRecord, sample: Mapping) -> dict[str, float | None]:
        """Compute accuracies, correlations and floors for one photo."""
        scores, mos = self._scores(record, sample), record.mos
        figures: dict[str, float | None] = {"srcc": srcc(scores, mos), "pcc": pcc(scores, mos)}
        if self.floors:
            figures |= {f"random_{key}": None if figures[key] is None else 0.0 for key in ("srcc", "pcc")}
        for n, beta in zip(self.ns, self.betas, strict=True):
            weighted = weighted_grid_accuracy(scores, mos, n, self.ks, beta)
            figures |= self._named("", n, grid_accuracy(scores, mos, n, self.ks), weighted)
            if self.floors:
                floor = random_weighted_grid_accuracy(len(mos), n, self.ks, beta)
                figures |= self._named("random_", n, random_grid_accuracy(mos, n, self.ks), floor)
        return figures

"""IoU@N and Disp@N: overlap and boundary displacement of the top crops."""

from collections.abc import Sequence

import numpy as np

from procrop.evaluation.functional.floors import first_of_sample
from procrop.evaluation.functional.iou_disp import MODES, WORST
from procrop.evaluation.photo_batch import PhotoBatch
from procrop.evaluation.protocols.base import Figures, Protocol, in_pixels
from procrop.evaluation.protocols.targets import GROUND_TRUTHS, grid_boxes, prefix_of, target_crops
from procrop.structures.boxes import boundary_displacement, box_iou

#: what is done to a box before it is compared -> what that adds to the keys
PREDICTIONS = {"as_given": "", "clipped": "_clipped", "truncated": "_int"}


class IoUDisp(Protocol):
    """IoU@N and Disp@N against the annotated crops, the best of the top N predictions (an oracle for N > 1).

    The formulas are :func:`~procrop.evaluation.functional.iou_disp_per_prediction` and
    :func:`~procrop.evaluation.functional.best_of_n`. Keys: ``iou@1``, ``disp@1``, ..., with several N also the means
    ``iou@avg`` and ``disp@avg``; options add ``_independent``, ``_clipped`` or ``_int``, and to Disp ``_swapped``.

    Floors: ``random_iou@N`` of a random ranking of the annotated crops, or, when all of them are ground truth and it
    would be 1, ``random_grid_iou@N`` of a random ranking of the 90 boxes on the GAIC grid; ``full_photo_iou``,
    ``centre_crop_iou`` (0.8 times both sides) and ``constant_crop_iou``; each with its ``disp``. A photo without a
    prediction gets IoU 0 and Disp 1.

    Args:
        topk: The values of N.
        ground_truth: ``"all"`` valid annotated crops (FLMS, SACD, FCDB), ``"positives"`` only, or the single
            ``"best"``.
        mode: ``"same_annotation"``: both figures from one annotation, the rule of the human-centric cropping, CACNet
            and GenCrop evaluations; ``"independent"``: the best IoU and the best Disp, each by itself, as in the
            evaluator that came with the ProCrop paper.
        predictions: ``"as_given"``; ``"clipped"`` to the photo first, as CACNet's evaluation does; ``"truncated"`` to
            whole pixels, as that of human-centric cropping does.
        swapped: Divide horizontal shifts by the height and vertical ones by the width, as the
            evaluator that came with the paper does; only to compare with figures made that way.
        floors: Whether to compute the floors.

    Raises:
        ValueError: If an option is unknown or an N below 1.
    """

    needs_size = True

    def __init__(
        self,
        topk: Sequence[int] = (1, 2, 3),
        ground_truth: str = "all",
        mode: str = "same_annotation",
        predictions: str = "as_given",
        swapped: bool = False,
        floors: bool = True,
    ) -> None:
        super().__init__(floors)
        for name, value, known in (
            ("ground_truth", ground_truth, GROUND_TRUTHS),
            ("mode", mode, MODES),
            ("predictions", predictions, tuple(PREDICTIONS)),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {known}, got {value!r}")
        if not topk or min(topk) < 1:
            raise ValueError(f"topk needs at least one N, each 1 or more, got {topk!r}")
        self.topk, self.ground_truth, self.mode, self.predictions = (
            tuple(topk),
            ground_truth,
            mode,
            predictions,
        )
        self.swapped, self.prefix = swapped, prefix_of("crop", ground_truth, "all")
        options = ("_independent" if mode == "independent" else "") + PREDICTIONS[predictions]
        self._names = (f"iou{options}", f"disp{options}{'_swapped' if swapped else ''}")

    def _rate(self, batch: PhotoBatch, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """IoU and Disp (T, C) of boxes (T, C, 4) against the ground truth of their photos; NaN where it has none."""
        targets, defined = target_crops(batch, self.ground_truth)
        if self.predictions == "clipped":
            boxes = np.clip(boxes, 0.0, np.tile(batch.size, 2)[:, None, :])
        elif self.predictions == "truncated":
            boxes = np.trunc(boxes)
        size = batch.size[:, ::-1] if self.swapped else batch.size
        iou, disp = box_iou(boxes, targets), boundary_displacement(boxes, targets, size)
        if self.mode == "independent":
            best_iou, best_disp = iou.max(axis=-1), disp.min(axis=-1)
        else:
            best_iou, best_disp = _same_annotation(iou, disp)
        undefined = ~defined[:, None]
        return np.where(undefined, np.nan, best_iou), np.where(undefined, np.nan, best_disp)

    def single(self, batch: PhotoBatch, boxes: np.ndarray) -> Figures:
        """IoU and Disp of each crop."""
        return dict(zip(self._names, self._rate(batch, boxes), strict=True))

    def single_of(self, key: str) -> str:
        """The figure without N."""
        return key.split("@")[0]

    def fixed_floors(self, batch: PhotoBatch, crop: np.ndarray) -> Figures:
        """IoU and Disp of one crop: the same for every N."""
        return {key: values[:, 0] for key, values in self.single(batch, in_pixels(batch, crop)).items()}

    def score(self, batch: PhotoBatch) -> Figures:
        """IoU@N and Disp@N."""
        iou, disp = self._rate(batch, batch.pred[:, : max(self.topk)])
        _, defined = target_crops(batch, self.ground_truth)
        nothing, undefined = (batch.pred_count == 0)[:, None], ~defined[:, None]
        found = []
        for values, worst in zip(self._best_of_n(iou, disp, batch.pred_count), WORST, strict=True):
            found.append(np.where(undefined, np.nan, np.where(nothing, worst, values)))
        return self._named("", *found)

    def _best_of_n(
        self, iou: np.ndarray, disp: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """IoU (T, len(topk)) and Disp of the best among the first N of (T, P)."""
        best_iou, best_disp = np.full(len(iou), -np.inf), np.full(len(iou), np.inf)
        at_n = {}
        for p in range(max(self.topk)):
            if p < iou.shape[1]:
                there, closer, nearer = p < count, iou[:, p] > best_iou, disp[:, p] < best_disp
                if self.mode == "same_annotation":  # one prediction, both of its figures
                    closer |= (iou[:, p] == best_iou) & nearer
                    nearer = closer
                best_iou = np.where(there & closer, iou[:, p], best_iou)
                best_disp = np.where(there & nearer, disp[:, p], best_disp)
            at_n[p + 1] = best_iou, best_disp
        return tuple(np.stack(rows, axis=1) for rows in zip(*(at_n[n] for n in self.topk), strict=True))

    def random_floors(self, batch: PhotoBatch) -> Figures:
        """Expected IoU@N and Disp@N of a random ranking."""
        if self.ground_truth == "all":
            prefix, pool = "random_grid_", grid_boxes(batch)
            count = np.full(len(batch), pool.shape[1])
        else:
            prefix, pool, count = "random_", batch.gt, batch.count
        iou, disp = self._rate(batch, pool)
        there = np.arange(pool.shape[1]) < count[:, None]
        # the order in which best-of-N prefers them, padding last
        by_iou = np.lexsort((disp, np.where(there, -iou, np.inf)))
        by_disp = by_iou
        if self.mode == "independent":
            by_disp = np.argsort(np.where(there, disp, np.inf), axis=1)
        iou, disp = np.take_along_axis(iou, by_iou, axis=1), np.take_along_axis(disp, by_disp, axis=1)
        chances = [first_chances(count, n, pool.shape[1]) for n in self.topk]
        expected = [np.stack([(c * values).sum(axis=1) for c in chances], axis=1) for values in (iou, disp)]
        return self._named(prefix, *expected)

    def _named(self, prefix: str, iou: np.ndarray, disp: np.ndarray) -> Figures:
        """Keys for IoU and Disp (T, len(topk))."""
        figures: Figures = {}
        for name, values in zip(self._names, (iou, disp), strict=True):
            figures |= {f"{prefix}{name}@{n}": values[:, i] for i, n in enumerate(self.topk)}
            if len(self.topk) > 1:
                figures[f"{prefix}{name}@avg"] = values.mean(axis=1)
        return figures


def _same_annotation(iou: np.ndarray, disp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Figures (T, C) of the annotation of the best IoU, or of the best Disp where it has the same IoU."""
    by_iou, by_disp = iou.argmax(axis=-1)[..., None], disp.argmin(axis=-1)[..., None]
    iou_1, iou_2 = (np.take_along_axis(iou, index, axis=-1) for index in (by_iou, by_disp))
    chosen = np.where(iou_1 == iou_2, by_disp, by_iou)
    return iou_1[..., 0], np.take_along_axis(disp, chosen, axis=-1)[..., 0]


def first_chances(count: np.ndarray, n: int, width: int) -> np.ndarray:
    """P(item i is the first of n drawn from a photo's ``count`` items), (T, width); 0 beyond them."""
    table = {m: np.pad(first_of_sample(m, n), (0, width - m)) for m in np.unique(count).tolist()}
    return np.stack([table[m] for m in count.tolist()])

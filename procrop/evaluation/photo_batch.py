"""Many photos in padded arrays, so that a formula runs over all of them at once."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from procrop.evaluation.functional.ranking import check_top
from procrop.evaluation.photo_record import PhotoRecord

# pairs of boxes that are compared at once: arrays of this size stay in a processor's cache
_PAIRS = 1_600_000
# boxes of the GAIC grid, which some floors are made of
_GRID = 90


class PhotoBatch:
    """Records of T photos as arrays.

    Boxes are ``xyxy`` pixels. Annotated crops beyond a photo's own are copies of its first one, so that the best
    overlap and the smallest displacement need no mask. ``mos`` is padded with -inf, and predictions beyond a photo's
    own are zeros.

    Args:
        records: T of them, each with a valid annotated crop.

    Attributes:
        records: The same.
        size: (T, 2) float64 width and height.
        count: (T,) int64 number M of annotated crops.
        gt: (T, max M, 4) float64 annotated crops in file order.
        mos: (T, max M) float64 their scores.
        pred_count: (T,) int64 number P of predictions.
        pred: (T, max P, 4) float64 predictions, best first.
    """

    def __init__(self, records: Sequence[PhotoRecord]) -> None:
        self.records = records
        self.size = np.array([record.size for record in records], dtype=np.float64).reshape(-1, 2)
        self.count = np.array([len(record.gt) for record in records], dtype=np.int64)
        self.pred_count = np.array([len(record.pred) for record in records], dtype=np.int64)
        self.gt = pad([record.gt for record in records], self.count, 0.0)
        if not self.is_crop.all():
            self.gt = np.where(self.is_crop[..., None], self.gt, self.gt[:, :1])
        self.mos = pad([record.mos for record in records], self.count, -np.inf)
        self.pred = pad([record.pred for record in records], self.pred_count, 0.0)

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def is_crop(self) -> np.ndarray:
        """(T, max M) bool: False where a column is padding."""
        return np.arange(max(self.count, default=0)) < self.count[:, None]

    @cached_property
    def positives(self) -> np.ndarray:
        """(T, max M) bool.

        Raises:
            ValueError: If a record does not say which of its crops are positive.
        """
        for record in self.records:
            if record.positives is None:
                raise ValueError(
                    f"photo {record.img_id!r}: its annotated crops have no positives; "
                    "ask for ground_truth 'all' or 'best', or a dataset that tells positives"
                )
        return pad([record.positives for record in self.records], self.count, False)

    @cached_property
    def candidate_scores(self) -> np.ndarray:
        """(T, max M) float64, padded with NaN; every record must have them."""
        return pad([record.candidate_scores for record in self.records], self.count, np.nan)

    @cached_property
    def pred_scores(self) -> np.ndarray:
        """(T, max P) float64, padded with -inf."""
        return pad([record.pred_scores for record in self.records], self.pred_count, -np.inf)

    @cached_property
    def order(self) -> np.ndarray:
        """(T, max M) int64: columns of the annotated crops by (-score, file order), padding last."""
        return np.argsort(-self.mos, axis=1, kind="stable")

    def top_count(self, n: int, ties: str) -> np.ndarray:
        """How many crops are among a photo's n best: (T,) int64.

        Raises:
            ValueError: If n is below 1 or ``ties`` unknown.
        """
        check_top(n, ties)
        counts = np.minimum(n, self.count)
        if ties == "include" and n < self.mos.shape[1]:
            last = np.take_along_axis(self.mos, self.order[:, n - 1 : n], axis=1)
            counts = np.where(n < self.count, (self.mos >= last).sum(axis=1), counts)
        return counts

    def top_crops(self, n: int, ties: str) -> np.ndarray:
        """The n best annotated crops (T, n or more, 4), best first; columns beyond are copies of the best.

        Raises:
            ValueError: If n is below 1 or ``ties`` unknown.
        """
        counts = self.top_count(n, ties)
        columns = self.order[:, : max(counts, default=0)]
        columns = np.where(np.arange(columns.shape[1]) < counts[:, None], columns, columns[:, :1])
        return np.take_along_axis(self.gt, columns[..., None], axis=1)


def pad(rows: Sequence[np.ndarray], counts: np.ndarray, fill: float | bool) -> np.ndarray:
    """Stack arrays (count, ...) of different lengths to (T, max count, ...), float64 or, for a bool ``fill``, bool."""
    inner = rows[0].shape[1:] if len(rows) else ()
    width = max(counts.tolist(), default=0)
    flat = np.concatenate(rows) if len(rows) else np.zeros(0)
    if len(flat) == len(rows) * width:  # nothing to fill
        return flat.reshape(len(rows), width, *inner)
    padded = np.full((len(rows), width, *inner), fill)
    padded[np.arange(width) < counts[:, None]] = flat
    return padded


def batches(records: Sequence[PhotoRecord]) -> Iterator[PhotoBatch]:
    """Cut records into batches, each small enough for all pairs of its boxes to be compared at once."""
    start, crops, others = 0, 1, _GRID
    for stop, record in enumerate(records):
        crops, others = max(crops, len(record.gt)), max(others, len(record.gt), len(record.pred))
        if (stop + 1 - start) * crops * others > _PAIRS and stop > start:
            yield PhotoBatch(records[start:stop])
            start, crops, others = stop, max(1, len(record.gt)), max(_GRID, len(record.gt), len(record.pred))
    if start < len(records):
        yield PhotoBatch(records[start:])

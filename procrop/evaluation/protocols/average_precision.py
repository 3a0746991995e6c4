"""Average precision of scored crops over a whole test set, as Jia et al. (2022) compute it."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from procrop.evaluation.photo_batch import PhotoBatch
from procrop.evaluation.pooled_detections import Detections, PooledDetections, pool_detections
from procrop.evaluation.protocols.base import FIXED_CROPS, Figures, Protocol, in_pixels
from procrop.evaluation.protocols.hits import check_counts, check_eps, key_end
from procrop.evaluation.protocols.targets import GROUND_TRUTHS, prefix_of, target_crops
from procrop.structures.boxes import box_iou


@dataclass
class _Part:
    """What one batch gives.

    Attributes:
        own: The model's detections.
        targets: (T,) crops to be found.
        floors: Detections of each floor by (prefix, figure of a constant crop or None, number of the draw).
    """

    own: Detections
    targets: np.ndarray
    floors: dict[tuple[str, str | None, int], Detections]


class AveragePrecision(Protocol):
    """AP of the top predictions of all photos, ranked together by score.

    In each photo, predictions take crops greedily, best score first: a prediction takes, of the ground truth crops that
    are left and overlap it by eps or more, the *last* in file order (not the nearest). Precision is interpolated at 101
    recalls. Keys: ``ap_10@0.85`` counts the 10 best predictions of a photo.

    Floors: ``random_`` is the mean over ``repeats`` seeded random rankings of all annotated crops; a fixed crop is
    shown once per photo, ranked by the order of the photos.

    Args:
        eps: Smallest IoU of a hit, one or several.
        max_dets: Predictions per photo that count.
        ground_truth: ``"positives"`` (as published), ``"all"`` or ``"best"``.
        floors: Whether to compute the floors.
        repeats: Random rankings drawn for the floor.
        seed: Seed of these draws.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        eps: float | Sequence[float] = (0.85, 0.9),
        max_dets: Sequence[int] = (5, 10, 20, 40, 60, 90),
        ground_truth: str = "positives",
        floors: bool = True,
        repeats: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(floors)
        check_counts(max_dets=max_dets)
        if ground_truth not in GROUND_TRUTHS:
            raise ValueError(f"ground_truth must be one of {GROUND_TRUTHS}, got {ground_truth!r}")
        if repeats < 1:
            raise ValueError(f"repeats must be 1 or more, got {repeats}")
        self.eps, self.max_dets, self.ground_truth = check_eps(eps), tuple(max_dets), ground_truth
        self.repeats, self.seed, self.prefix = repeats, seed, prefix_of("ap", ground_truth, "positives")

    def score(self, batch: PhotoBatch) -> Figures:
        """No figure belongs to one photo."""
        return {}

    def part(self, batch: PhotoBatch) -> _Part:
        """Match the predictions of each photo, and those of the floors."""
        own = _detections(self._hits(batch, batch.pred), batch.pred_count, batch.pred_scores)
        targets = self._targets(batch)[1].sum(axis=1)
        return _Part(own, targets, self._floor_detections(batch) if self.floors else {})

    def join(self, parts: Sequence[_Part], rows: np.ndarray, photos: int) -> PooledDetections:
        """Pool the detections of all photos."""
        targets = np.zeros(photos, dtype=np.int64)
        if parts:
            targets[rows] = np.concatenate([part.targets for part in parts])
        options = targets, self._keys(), self.max_dets
        found = pool_detections([part.own for part in parts], rows, *options)
        floors: dict[str, list[float]] = {}
        for name in parts[0].floors if parts else ():
            pool = pool_detections([part.floors[name] for part in parts], rows, *options)
            prefix, figure, _ = name
            for key, value in pool.means().items():
                if figure in (None, self.single_of(key)):
                    floors.setdefault(prefix + key, []).append(value)
        found.floors = {key: float(np.mean(values)) for key, values in floors.items()}
        return found

    def _keys(self) -> tuple[str, ...]:
        return tuple(f"ap_{n}{key_end(eps, 'file_order')}" for eps in self.eps for n in self.max_dets)

    def _targets(self, batch: PhotoBatch) -> tuple[np.ndarray, np.ndarray]:
        """Ground truth (T, G, 4), and which columns are no copies (T, G)."""
        boxes, defined = target_crops(batch, self.ground_truth)
        counts = {"all": batch.count, "best": np.ones(len(batch), np.int64)}.get(self.ground_truth)
        counts = batch.positives.sum(axis=1) if counts is None else counts
        return boxes, (np.arange(boxes.shape[1]) < counts[:, None]) & defined[:, None]

    def _hits(self, batch: PhotoBatch, boxes: np.ndarray) -> np.ndarray:
        """Which boxes (T, P, 4) equal which ground truth: (len(eps), T, P, G) bool."""
        targets, own = self._targets(batch)
        iou = box_iou(boxes, targets)
        return np.stack([(iou >= eps) & own[:, None, :] for eps in self.eps])

    def single(self, batch: PhotoBatch, boxes: np.ndarray) -> Figures:
        """Whether each crop equals any ground truth."""
        hits = self._hits(batch, boxes).any(axis=-1).astype(np.float64)
        return {f"hit{key_end(eps, 'file_order')}": hit for eps, hit in zip(self.eps, hits, strict=True)}

    def single_of(self, key: str) -> str:
        """``hit@0.85`` for ``ap_10@0.85``."""
        return f"hit@{key.split('@')[1]}"

    def _floor_detections(self, batch: PhotoBatch) -> dict[tuple[str, str | None, int], Detections]:
        found: dict[tuple[str, str | None, int], Detections] = {}
        among = self._hits(batch, batch.gt)
        for draw in range(self.repeats):
            scores = self._random_scores(batch, draw)
            order = np.argsort(-scores, axis=1)
            hits = np.take_along_axis(among, order[None, :, :, None], axis=2)
            found["random_", None, draw] = _detections(
                hits, batch.count, np.take_along_axis(scores, order, axis=1)
            )
        crops = [(prefix, None, crop) for prefix, crop in FIXED_CROPS.items()]
        crops += [("constant_crop_", name, np.asarray(crop)) for name, crop in self.constant_crops.items()]
        once, alike = np.ones(len(batch), dtype=np.int64), np.ones((len(batch), 1))
        for prefix, name, crop in crops:
            found[prefix, name, 0] = _detections(self._hits(batch, in_pixels(batch, crop)), once, alike)
        return found

    def _random_scores(self, batch: PhotoBatch, draw: int) -> np.ndarray:
        """Scores (T, M) drawn from (seed, draw, photo), so that a photo's company changes nothing."""
        scores = np.full(batch.is_crop.shape, -np.inf)
        for row, record in zip(scores, batch.records, strict=True):
            name = zlib.crc32(record.img_id.encode("utf-8", "surrogateescape"))
            row[: len(record.gt)] = np.random.default_rng((self.seed, draw, name)).random(len(record.gt))
        return scores


def _detections(hits: np.ndarray, count: np.ndarray, scores: np.ndarray) -> Detections:
    """Match predictions, best first: ``hits`` (E, T, P, G) bool, ``count`` (T,) of them and ``scores`` (T, P)."""
    row, place = np.nonzero(np.arange(scores.shape[1]) < count[:, None])
    return Detections(len(count), row, place, scores[row, place], last_one_wins(hits)[:, row, place])


def last_one_wins(hits: np.ndarray) -> np.ndarray:
    """Match greedily: each prediction takes the last crop that it hits and that is left.

    Args:
        hits: (..., P, G) bool, predictions best first.

    Returns:
        (..., P) bool: whether the prediction got a crop.
    """
    *outer, count, width = hits.shape
    flipped = np.ascontiguousarray(hits[..., ::-1]).reshape(prod(outer), count, width)
    right = np.zeros((len(flipped), count), dtype=bool)
    if width == 0:
        return right.reshape(*outer, count)
    left = np.ones((len(flipped), width), dtype=bool)
    lines = np.arange(len(flipped))
    for place in range(count):
        wanted = flipped[:, place] & left
        first = wanted.argmax(axis=1)
        right[:, place] = wanted[lines, first]
        left[lines, first] &= ~right[:, place]
    return right.reshape(*outer, count)

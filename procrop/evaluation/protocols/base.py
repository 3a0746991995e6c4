"""What a protocol is: it measures records of photos, and the floors on the same photos."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from procrop.evaluation.functional.floors import centre_crop, full_photo
from procrop.evaluation.photo_batch import PhotoBatch, batches
from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.photo_table import Measurement, PhotoTable, join_tables

Figures = dict[str, np.ndarray]

_UNIT = (1.0, 1.0)
#: crops that no model is needed for, relative to the photo
FIXED_CROPS = {"full_photo_": full_photo(_UNIT)[0], "centre_crop_": centre_crop(_UNIT)[0]}


class Protocol(ABC):
    """One way of scoring predictions, computed for many photos at once.

    A figure's key names the protocol and its options; a floor is the same key behind ``random_``, ``full_photo_``,
    ``centre_crop_`` or ``constant_crop_``. A photo without a valid annotated crop has no figure.

    Attributes:
        prefix: Name of the protocol, which stands before the "/" of its keys where several are printed together.
        needs_predictions: Whether records must come from a model that proposes crops.
        needs_size: Whether its figures need the photos' sizes.
        floors: Whether floors are computed.
        constant_crops: Figure of :meth:`single` -> the crop (x1, y1, x2, y2), as shares of the photo's sides, that is
            the best constant answer for it on a training set; empty without one.
    """

    prefix: str
    needs_predictions: ClassVar[bool] = True
    needs_size: ClassVar[bool] = False

    def __init__(self, floors: bool = True) -> None:
        self.floors = floors
        self.constant_crops: Mapping[str, Sequence[float]] = {}

    def check(self, record: PhotoRecord) -> None:
        """Raise ValueError when the record lacks what this protocol reads; the message names the photo."""
        return

    @abstractmethod
    def score(self, batch: PhotoBatch) -> Figures:
        """Figures (T,) of the predictions by key; NaN where undefined."""

    def random_floors(self, batch: PhotoBatch) -> Figures:
        """Expected figures (T,) of a random ranking of given boxes, prefix included."""
        return {}

    def single(self, batch: PhotoBatch, boxes: np.ndarray) -> Figures:
        """Figures (T, C) that each of C crops alone gets, by a key without a number of crops.

        Args:
            batch: T photos.
            boxes: (T, C, 4) ``xyxy`` pixels.
        """
        return {}

    def single_of(self, key: str) -> str:
        """The key in :meth:`single` that a score's key belongs to."""
        return key

    def fixed_floors(self, batch: PhotoBatch, crop: np.ndarray) -> Figures:
        """Figures (T,) of a model that always gives one crop (4,), as shares of the photo's sides."""
        return {}

    def part(self, batch: PhotoBatch) -> Any:  # noqa: ANN401 (what join takes)
        """Measure one batch: the figures (T, F) of its photos."""
        figures = self.score(batch)
        if self.floors:
            figures |= self.floor_figures(batch)
        return PhotoTable(tuple(figures), np.stack(list(figures.values()), axis=1))

    def floor_figures(self, batch: PhotoBatch) -> Figures:
        """Floors (T,) by key, prefix included; those of fixed crops only where the size of every photo is known."""
        figures = self.random_floors(batch)
        if np.isfinite(batch.size).all():
            for prefix, crop in FIXED_CROPS.items():
                figures |= {f"{prefix}{key}": v for key, v in self.fixed_floors(batch, crop).items()}
            figures |= self._constant_floors(batch)
        return figures

    def join(self, parts: Sequence[Any], rows: np.ndarray, photos: int) -> Measurement:
        """Put what batches gave together.

        Args:
            parts: What :meth:`part` returned, batch by batch.
            rows: Which of the photos each of their rows is; the others have no valid annotated crop.
            photos: Number of photos T.

        Returns:
            A measurement of T photos.
        """
        return join_tables(parts, rows, photos)

    def measure(self, records: Sequence[PhotoRecord]) -> Measurement:
        """Measure all photos by this protocol alone.

        Raises:
            ValueError: If a record lacks what the protocol reads.
        """
        return measure_all([self], records)[0]

    def _constant_floors(self, batch: PhotoBatch) -> Figures:
        figures: Figures = {}
        for name, crop in self.constant_crops.items():
            found = self.fixed_floors(batch, np.asarray(crop, np.float64))
            figures |= {f"constant_crop_{k}": v for k, v in found.items() if self.single_of(k) == name}
        return figures


def measure_all(protocols: Sequence[Protocol], records: Sequence[PhotoRecord]) -> list[Measurement]:
    """Measure photos by several protocols, which share what a batch computes once.

    Args:
        protocols: What to measure.
        records: T photos; those without a valid annotated crop have no figure.

    Returns:
        What each protocol found.

    Raises:
        ValueError: If a record lacks what a protocol reads.
    """
    rows = np.array([i for i, record in enumerate(records) if len(record.gt)], dtype=np.int64)
    kept = [records[i] for i in rows]
    for protocol in protocols:
        for record in kept:
            protocol.check(record)
    parts: list[list[Any]] = [[] for _ in protocols]
    for batch in batches(kept):
        for found, protocol in zip(parts, protocols, strict=True):
            found.append(protocol.part(batch))
    return [p.join(found, rows, len(records)) for p, found in zip(protocols, parts, strict=True)]


def in_pixels(batch: PhotoBatch, crops: np.ndarray) -> np.ndarray:
    """Crops (C, 4) as shares of the sides in pixels of each photo: (T, C, 4)."""
    return crops.reshape(-1, 4) * np.tile(batch.size, 2)[:, None, :]

"""All figures that several protocols find on one set of photos."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.photo_table import Measurement
from procrop.evaluation.protocols.base import Protocol


@dataclass
class Measured:
    """What protocols found on T photos.

    Attributes:
        protocols: The protocols.
        tables: What each of them found.
        figures: All figures of the set by key, floors among them.
        photos: Number of photos with a figure.
        excluded: Photos without a valid annotated crop, or without one of the asked kind.
        without_prediction: Photos with a figure and no prediction, which are scored as misses.
    """

    protocols: Sequence[Protocol]
    tables: Sequence[Measurement]
    figures: Mapping[str, float]
    photos: int
    excluded: int
    without_prediction: int


def measure(protocols: Sequence[Protocol], records: Sequence[PhotoRecord]) -> Measured:
    """Run protocols over the same photos.

    Args:
        protocols: With distinct keys.
        records: T photos.

    Returns:
        What they found.

    Raises:
        ValueError: If no photo has a valid annotated crop, a record lacks what a protocol reads, or a figure is not
            finite.
    """
    tables = [protocol.measure(records) for protocol in protocols]
    scored = np.any([table.scored for table in tables], axis=0)
    if not scored.any():
        raise ValueError(
            f"none of the {len(records)} photos has a valid annotated crop, nothing to score; "
            "check the annotation files of the test split"
        )
    figures: dict[str, float] = {}
    for table in tables:
        figures |= table.means()
    broken = [key for key, value in figures.items() if not math.isfinite(value)]
    if broken:
        raise ValueError(f"{', '.join(broken)} came out not finite")
    missing = 0
    if any(protocol.needs_predictions for protocol in protocols):
        missing = sum(len(record.pred) == 0 for record, kept in zip(records, scored, strict=True) if kept)
    return Measured(protocols, tables, figures, int(scored.sum()), int((~scored).sum()), missing)

"""All figures that several protocols find on one set of photos."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.photo_table import Measurement
from procrop.evaluation.protocols.base import Protocol, measure_all


@dataclass
class Measured:
    """What protocols found on T photos.

    Attributes:
        protocols: The protocols.
        tables: What each of them found.
        means: For each of them its figures of the whole set by key, floors among them.
        photos: Number of photos with a figure.
        excluded: Photos without a valid annotated crop, or without one of the asked kind.
        without_prediction: Photos with a figure and no prediction, which are scored as misses.
    """

    protocols: Sequence[Protocol]
    tables: Sequence[Measurement]
    means: Sequence[Mapping[str, float]]
    photos: int
    excluded: int
    without_prediction: int

    @property
    def figures(self) -> dict[str, float]:
        """All figures by key; for protocols of one prefix."""
        return {key: value for means in self.means for key, value in means.items()}

    @property
    def named(self) -> dict[str, float]:
        """All figures by "prefix/key"."""
        pairs = zip(self.protocols, self.means, strict=True)
        return {
            f"{protocol.prefix}/{key}": value for protocol, means in pairs for key, value in means.items()
        }

    @property
    def scores(self) -> list[str]:
        """ "prefix/key" of every score, floors left out, as the tables have them; a name may come twice."""
        pairs = zip(self.protocols, self.tables, strict=True)
        return [f"{protocol.prefix}/{key}" for protocol, table in pairs for key in table.scores]


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
    tables = measure_all(protocols, records)
    scored = np.any([table.scored for table in tables], axis=0)
    if not scored.any():
        raise ValueError(
            f"none of the {len(records)} photos has a valid annotated crop, nothing to score; "
            "check the annotation files of the test split"
        )
    found = [table.means() for table in tables]
    broken = [key for means in found for key, value in means.items() if not math.isfinite(value)]
    if broken:
        raise ValueError(f"{', '.join(broken)} came out not finite")
    missing = 0
    if any(protocol.needs_predictions for protocol in protocols):
        missing = sum(len(record.pred) == 0 for record, kept in zip(records, scored, strict=True) if kept)
    return Measured(protocols, tables, found, int(scored.sum()), int((~scored).sum()), missing)

"""Base of the metrics that average one figure per photo and print it beside its floors."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from procrop.evaluation.metrics.photo_record import PhotoRecord, read_photo_record

#: prefixes of floors, with the heading of their column
FLOORS = {
    "random_": "random",
    "random_grid_": "random grid box",
    "full_photo_": "full photo",
    "centre_crop_": "centre crop",
}


def floor_of(key: str) -> str | None:
    """Return the prefix in FLOORS that ``key`` starts with, the longest one, or None for a score."""
    found = [prefix for prefix in FLOORS if key.startswith(prefix)]
    return max(found, key=len, default=None)


def score_table(figures: Mapping[str, float]) -> str:
    """Lay out scores beside their floors, one score a line.

    A floor belongs to the score whose key it ends with; one that does not depend on N (``full_photo_iou``) belongs to
    all of its ``iou@N``.

    Args:
        figures: Figures by key, floors among them.

    Returns:
        The table as text of several lines.
    """
    used = [prefix for prefix in FLOORS if any(floor_of(key) == prefix for key in figures)]
    rows = [["", "score", *(FLOORS[prefix] for prefix in used)]]
    for key, value in figures.items():
        if floor_of(key) is None:
            floors = [figures.get(p + key, figures.get(p + key.split("@")[0])) for p in used]
            rows.append([key, f"{value:.4f}", *("" if f is None else f"{f:.4f}" for f in floors)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )


class PhotoMetric(BaseMetric):
    """Averages figures over the photos that have a valid annotated crop.

    A photo without one is left out and counted. A figure that a photo does not have (a correlation that is undefined
    there) is averaged over the others. Exactly one entry is kept per photo, so that what several processes gather, less
    the padding of the sampler, is what one process finds; sums do not depend on the order.

    Figures come with ``photos``, ``excluded`` and ``without_prediction``, the counts.

    Args:
        needs_predictions: Whether samples must carry ``pred_instances``.
        collect_device: Where results of several processes are gathered.
        prefix: Replaces the default prefix of the keys.
    """

    def __init__(
        self, needs_predictions: bool = True, collect_device: str = "cpu", prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self._needs_predictions = needs_predictions

    @abstractmethod
    def evaluate_photo(self, record: PhotoRecord, sample: Mapping) -> dict[str, float | None]:
        """Compute the figures of one photo that has a valid annotated crop; none at all leaves the photo out.

        A figure that is undefined for the photo is None.
        """

    def process(self, data_batch: object, data_samples: Sequence[Mapping]) -> None:
        """Score one batch.

        Args:
            data_batch: Not used.
            data_samples: CropDataSamples as dictionaries.

        Raises:
            ValueError: If a sample lacks what the metric needs; the message names the photo.
        """
        for sample in data_samples:
            sample = sample.to_dict() if hasattr(sample, "to_dict") else sample
            record = read_photo_record(sample, self._needs_predictions)
            figures = self.evaluate_photo(record, sample) if len(record.gt) else {}
            self.results.append({"figures": figures or None, "missing": len(record.pred) == 0})

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average over the photos and log the table.

        Args:
            results: One entry per photo, from all processes.

        Returns:
            Figures by key, all finite floats.

        Raises:
            ValueError: If no photo has a valid annotated crop, or a figure is not finite.
        """
        name = type(self).__name__
        kept = [entry for entry in results if entry["figures"] is not None]
        if not kept:
            raise ValueError(
                f"{name}: none of the {len(results)} photos has a valid annotated crop, nothing to score; "
                "check the annotation files of the test split"
            )
        figures = {}
        for key in dict.fromkeys(key for entry in kept for key in entry["figures"]):
            values = [v for v in (entry["figures"].get(key) for entry in kept) if v is not None]
            if values:
                figures[key] = math.fsum(values) / len(values)
        broken = [key for key, value in figures.items() if not math.isfinite(value)]
        if broken:
            raise ValueError(f"{name}: {', '.join(broken)} came out not finite")
        excluded = len(results) - len(kept)
        missing = sum(entry["missing"] for entry in kept) if self._needs_predictions else 0
        head = f"{name}: {len(kept)} photos, {excluded} without a valid annotated crop left out"
        head += f", {missing} without a prediction (scored as misses)" if missing else ""
        print_log(f"{head}\n{score_table(figures)}", logger="current")
        counts = {"photos": len(kept), "excluded": excluded, "without_prediction": missing}
        return figures | {key: float(value) for key, value in counts.items()}

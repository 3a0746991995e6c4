"""Base of the metrics of a test run: protocols around samples, printed beside their floors."""

from collections.abc import Mapping, Sequence

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from procrop.evaluation.constant_crop import use_constant_crops
from procrop.evaluation.measured import measure
from procrop.evaluation.metrics.sample_record import read_sample
from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.protocols.base import Protocol
from procrop.evaluation.score_table import score_table


class ProtocolMetric(BaseMetric):
    """Keeps one record per photo and measures them all when the test run ends.

    So what several processes gather, less the padding of the sampler, is what one process finds. Figures come with
    ``photos``, ``excluded`` (without a valid annotated crop) and ``without_prediction`` (scored as misses), the counts.

    Args:
        protocols: What to measure; all of one prefix, which the keys get.
        constant_crop: File of fitted constant crops (:mod:`procrop.evaluation.constant_crop`), one more floor.
        collect_device: Where records of several processes are gathered.
        prefix: Replaces the protocols' prefix of the keys.

    Raises:
        ValueError: If the file of constant crops cannot be used.
    """

    def __init__(
        self,
        protocols: Sequence[Protocol],
        constant_crop: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix or protocols[0].prefix)
        self.protocols = protocols
        if constant_crop is not None:
            use_constant_crops(protocols, constant_crop)

    def process(self, data_batch: object, data_samples: Sequence[Mapping]) -> None:
        """Take one batch.

        Args:
            data_batch: Not used.
            data_samples: CropDataSamples, or the same as dictionaries.

        Raises:
            ValueError: If a sample lacks what a protocol needs; the message names the photo.
        """
        needs_predictions = any(protocol.needs_predictions for protocol in self.protocols)
        for sample in data_samples:
            sample = sample.to_dict() if hasattr(sample, "to_dict") else sample
            record = read_sample(sample, needs_predictions)
            if len(record.gt):
                for protocol in self.protocols:
                    protocol.check(record)
            self.results.append(record)

    def compute_metrics(self, results: list[PhotoRecord]) -> dict[str, float]:
        """Measure all photos and log the table.

        Args:
            results: One record per photo, from all processes.

        Returns:
            Figures by key, all finite floats.

        Raises:
            ValueError: If no photo has a valid annotated crop, or a figure is not finite.
        """
        name = type(self).__name__
        try:
            found = measure(self.protocols, results)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        missing = found.without_prediction
        head = f"{name}: {found.photos} photos, {found.excluded} without a valid annotated crop left out"
        head += f", {missing} without a prediction (scored as misses)" if missing else ""
        print_log(f"{head}\n{score_table(found.figures)}", logger="current")
        counts = {"photos": found.photos, "excluded": found.excluded, "without_prediction": missing}
        return dict(found.figures) | {key: float(value) for key, value in counts.items()}

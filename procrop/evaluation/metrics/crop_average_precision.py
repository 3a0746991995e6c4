"""Average precision of scored crops, as a metric of a test run."""

from collections.abc import Sequence

from procrop.evaluation.metrics.protocol_metric import ProtocolMetric
from procrop.evaluation.protocols.average_precision import AveragePrecision
from procrop.registry import METRICS


@METRICS.register_module()
class CropAveragePrecision(ProtocolMetric):
    """AP of all photos' top predictions, ``ap/ap_10@0.85``: :class:`~procrop.evaluation.protocols.AveragePrecision`.

    Args:
        eps: Smallest IoU of a hit, one or several.
        max_dets: Predictions per photo that count.
        ground_truth: ``"positives"`` (as published), ``"all"`` or ``"best"``.
        floors: Whether to compute the floors.
        constant_crop: File of fitted constant crops, one more floor.
        collect_device: Where records of several processes are gathered.
        prefix: Replaces the prefix of the keys, ``ap``, or ``ap_all`` or ``ap_best`` by the ground truth.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        eps: float | Sequence[float] = (0.85, 0.9),
        max_dets: Sequence[int] = (5, 10, 20, 40, 60, 90),
        ground_truth: str = "positives",
        floors: bool = True,
        constant_crop: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        protocol = AveragePrecision(eps, max_dets, ground_truth, floors)
        super().__init__([protocol], constant_crop, collect_device, prefix)

"""Average precision of scored crops, as a metric of a test run."""

from typing import Any

from procrop.evaluation.metrics.protocol_metric import ProtocolMetric
from procrop.evaluation.protocols.average_precision import AveragePrecision
from procrop.registry import METRICS


@METRICS.register_module()
class CropAveragePrecision(ProtocolMetric):
    """AP of all photos' top predictions, ``ap/ap_10@0.85``: :class:`~procrop.evaluation.protocols.AveragePrecision`.

    Args:
        constant_crop, collect_device: See :class:`ProtocolMetric`.
        prefix: Replaces the prefix of the keys, ``ap``, or ``ap_all`` or ``ap_best`` by the ground truth.
        options: See :class:`~procrop.evaluation.protocols.AveragePrecision`.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        constant_crop: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__([AveragePrecision(**options)], constant_crop, collect_device, prefix)

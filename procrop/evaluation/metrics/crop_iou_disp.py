"""IoU and boundary displacement of the top crops, as a metric of a test run."""

from typing import Any

from procrop.evaluation.metrics.protocol_metric import ProtocolMetric
from procrop.evaluation.protocols.iou_disp import IoUDisp
from procrop.registry import METRICS


@METRICS.register_module()
class CropIoUDisp(ProtocolMetric):
    """IoU@N and Disp@N with floors: see :class:`~procrop.evaluation.protocols.IoUDisp`.

    Keys say what crops are compared with: ``crop/iou@1`` (all), ``crop_best/iou@1``, ``crop_positives/iou@1``.

    Args:
        constant_crop, collect_device: See :class:`ProtocolMetric`.
        prefix: Replaces the prefix of the keys.
        options: See :class:`~procrop.evaluation.protocols.IoUDisp`.

    Raises:
        ValueError: If an option is unknown or an N below 1.
    """

    def __init__(
        self,
        constant_crop: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__([IoUDisp(**options)], constant_crop, collect_device, prefix)

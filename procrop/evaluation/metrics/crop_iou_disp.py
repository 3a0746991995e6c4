"""IoU and boundary displacement of the top crops, as a metric of a test run."""

from collections.abc import Sequence

from procrop.evaluation.metrics.protocol_metric import ProtocolMetric
from procrop.evaluation.protocols.iou_disp import IoUDisp
from procrop.registry import METRICS


@METRICS.register_module()
class CropIoUDisp(ProtocolMetric):
    """IoU@N and Disp@N with floors: see :class:`~procrop.evaluation.protocols.IoUDisp`.

    Keys say what crops are compared with: ``crop/iou@1`` (all), ``crop_best/iou@1``, ``crop_positives/iou@1``.

    Args:
        topk: The values of N.
        ground_truth: ``"all"`` valid annotated crops (FLMS, SACD, FCDB), ``"positives"`` only, or the single ``"best"``
            by mean opinion score, the first line among equals.
        mode: ``"same_annotation"`` or ``"independent"``.
        predictions: ``"as_given"``, ``"clipped"`` or ``"truncated"``.
        swapped: Whether Disp divides by the other side's length.
        floors: Whether to compute the floors.
        constant_crop: File of fitted constant crops, one more floor.
        collect_device: Where records of several processes are gathered.
        prefix: Replaces the prefix of the keys.

    Raises:
        ValueError: If an option is unknown or an N below 1.
    """

    def __init__(
        self,
        topk: Sequence[int] = (1, 2, 3),
        ground_truth: str = "all",
        mode: str = "same_annotation",
        predictions: str = "as_given",
        swapped: bool = False,
        floors: bool = True,
        constant_crop: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        protocol = IoUDisp(topk, ground_truth, mode, predictions, swapped, floors)
        super().__init__([protocol], constant_crop, collect_device, prefix)

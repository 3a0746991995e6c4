"""Accuracy of free-form crops by IoU >= eps, both directions, as a metric of a test run."""

from typing import Any

from procrop.evaluation.metrics.protocol_metric import ProtocolMetric
from procrop.evaluation.protocols.best_crop_recall import BestCropRecall
from procrop.evaluation.protocols.topn_accuracy import TopNAccuracy
from procrop.registry import METRICS


@METRICS.register_module()
class CropTopNAccuracy(ProtocolMetric):
    """ACC_{K/N} with eps, its average over K, and the recall of the best crop (the protocol of Jia et al. 2022).

    Keys: ``acc/acc_1/5@0.85``, ``acc/mean_acc_5@0.85`` (see :class:`~procrop.evaluation.protocols.TopNAccuracy`) and
    ``acc/best_crop_recall_5@0.85`` (see :class:`~procrop.evaluation.protocols.BestCropRecall`), with floors.

    Args:
        constant_crop, collect_device: See :class:`ProtocolMetric`.
        prefix: Replaces the prefix ``acc`` of the keys.
        options: See :class:`~procrop.evaluation.protocols.TopNAccuracy`.

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
        accuracy = TopNAccuracy(**options)
        recall = BestCropRecall(accuracy.eps, accuracy.ns, accuracy.ties, accuracy.strict, accuracy.floors)
        super().__init__([accuracy, recall], constant_crop, collect_device, prefix)

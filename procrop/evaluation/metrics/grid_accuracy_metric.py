"""Exact-grid accuracy and correlations, for rankers only, as a metric of a test run."""

from typing import Any

from procrop.evaluation.metrics.protocol_metric import ProtocolMetric
from procrop.evaluation.protocols.grid_accuracy import GridRanking
from procrop.registry import METRICS


@METRICS.register_module()
class GridAccuracy(ProtocolMetric):
    """Exact-grid ACC_{K/N}, weighted ACC, SRCC and PCC of a model that scores the annotated crops themselves.

    Reads ``candidate_scores`` (n,) of every sample: one score per row of ``gt_crops``. Keys: ``grid/acc_1/5_ties``,
    ``grid/mean_acc_5_ties``, ``grid/wacc_1/5``, ``grid/srcc``, ``grid/pcc``, with floors: see
    :class:`~procrop.evaluation.protocols.GridRanking`.

    Args:
        collect_device: Where records of several processes are gathered.
        prefix: Replaces the prefix ``grid`` of the keys.
        options: See :class:`~procrop.evaluation.protocols.GridRanking`.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(self, collect_device: str = "cpu", prefix: str | None = None, **options: Any) -> None:
        super().__init__([GridRanking(**options)], None, collect_device, prefix)

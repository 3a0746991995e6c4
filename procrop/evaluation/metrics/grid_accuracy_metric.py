"""Exact-grid accuracy and correlations, for rankers only, as a metric of a test run."""

from collections.abc import Sequence

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
        ns: The values of N.
        ks: The values of K.
        betas: Price of a rank in the weighted ACC, one for each N.
        ties: ``"include"`` or ``"file_order"``.
        floors: Whether to compute the floors.
        collect_device: Where records of several processes are gathered.
        prefix: Replaces the prefix ``grid`` of the keys.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        ns: Sequence[int] = (5, 10),
        ks: Sequence[int] = (1, 2, 3, 4),
        betas: Sequence[float] = (0.2, 0.1),
        ties: str = "include",
        floors: bool = True,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__([GridRanking(ns, ks, betas, ties, floors)], None, collect_device, prefix)

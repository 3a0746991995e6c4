"""Accuracy of free-form crops by IoU >= eps, both directions, as a metric of a test run."""

from collections.abc import Sequence

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
        eps: Smallest IoU of a hit, one or several.
        ns: The values of N.
        ks: The values of K.
        ties: ``"file_order"`` or ``"include"``, see :func:`~procrop.evaluation.functional.top_crops`.
        one_to_one: Whether an annotated crop serves one prediction only (ACC_{K/N}).
        strict: Whether a hit needs an IoU above eps.
        floors: Whether to compute the floors.
        repeats: Random rankings drawn per photo for the floor of one-to-one matching; the others are exact.
        seed: Seed of these draws, joined with the photo's name.
        constant_crop: File of fitted constant crops, one more floor.
        collect_device: Where records of several processes are gathered.
        prefix: Replaces the prefix ``acc`` of the keys.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        eps: float | Sequence[float] = 0.85,
        ns: Sequence[int] = (5, 10),
        ks: Sequence[int] = (1, 2, 3, 4),
        ties: str = "file_order",
        one_to_one: bool = False,
        strict: bool = False,
        floors: bool = True,
        repeats: int = 200,
        seed: int = 0,
        constant_crop: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        protocols = [
            TopNAccuracy(eps, ns, ks, ties, one_to_one, strict, floors, repeats, seed),
            BestCropRecall(eps, ns, ties, strict, floors),
        ]
        super().__init__(protocols, constant_crop, collect_device, prefix)

"""IoU and boundary displacement of the top crops."""

from collections.abc import Mapping, Sequence

import numpy as np

from procrop.evaluation.functional.floors import centre_crop, full_photo, random_iou_disp
from procrop.evaluation.functional.iou_disp import MODES, iou_disp, iou_disp_per_prediction
from procrop.evaluation.functional.ranking import top_crops
from procrop.evaluation.metrics.photo_metric import PhotoMetric
from procrop.evaluation.metrics.photo_record import PhotoRecord
from procrop.registry import METRICS
from procrop.structures.grid_anchors import gaic_grid_anchors

GROUND_TRUTHS = ("all", "positives", "best")


@METRICS.register_module()
class CropIoUDisp(PhotoMetric):
    """IoU@N and Disp@N against the annotated crops, the best of the top N predictions (an oracle for N > 1).

    Keys: ``crop/iou@1``, ``crop/disp@1``, ..., with several N also their means ``crop/iou@avg`` and
    ``crop/disp@avg``; in independent mode ``iou_independent@1`` and so on. Floors: ``random_iou@N`` of a random ranking
    of the annotated crops, or, when all of them are ground truth and it would be 1, ``random_grid_iou@N`` of a random
    ranking of the 90 boxes on the GAIC grid; ``full_photo_iou``; ``centre_crop_iou``, a centred crop of 0.8 times both
    sides; each with its ``disp``. A photo without a prediction gets IoU 0 and Disp 1.

    Args:
        topk: The values of N.
        ground_truth: ``"all"`` valid annotated crops (FLMS, SACD, FCDB), ``"positives"`` only, or the single ``"best"``
            by mean opinion score, the first line among equals.
        mode: ``"same_annotation"`` or ``"independent"``, see
            :func:`~procrop.evaluation.functional.iou_disp_per_prediction`.
        floors: Whether to compute the floors.
        collect_device: Where results of several processes are gathered.
        prefix: Replaces the prefix ``crop`` of the keys.

    Raises:
        ValueError: If an option is unknown or an N below 1.
    """

    default_prefix = "crop"

    def __init__(
        self,
        topk: Sequence[int] = (1, 2, 3),
        ground_truth: str = "all",
        mode: str = "same_annotation",
        floors: bool = True,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if ground_truth not in GROUND_TRUTHS:
            raise ValueError(f"ground_truth must be one of {GROUND_TRUTHS}, got {ground_truth!r}")
        if mode not in MODES:
            raise ValueError(f"mode must be one of {MODES}, got {mode!r}")
        if not topk or min(topk) < 1:
            raise ValueError(f"topk needs at least one N, each 1 or more, got {topk!r}")
        self.topk, self.ground_truth, self.mode, self.floors = tuple(topk), ground_truth, mode, floors
        self._names = (
            ("iou", "disp") if mode == "same_annotation" else ("iou_independent", "disp_independent")
        )

    def _ground_truth(self, record: PhotoRecord) -> np.ndarray:
        if self.ground_truth == "all":
            return record.gt
        if self.ground_truth == "best":
            return record.gt[top_crops(record.mos, 1)]
        if record.positives is None:
            raise ValueError(
                f"photo {record.img_id!r}: gt_crops has no positives; "
                "ask for ground_truth 'all' or 'best', or a dataset that tells positives"
            )
        return record.gt[record.positives]

    def _at_n(self, prefix: str, iou: np.ndarray, disp: np.ndarray) -> dict[str, float]:
        figures = {}
        for name, values in zip(self._names, (iou, disp), strict=True):
            figures |= {f"{prefix}{name}@{n}": float(v) for n, v in zip(self.topk, values, strict=True)}
            if len(self.topk) > 1:
                figures[f"{prefix}{name}@avg"] = float(np.mean(values))
        return figures

    def evaluate_photo(self, record: PhotoRecord, sample: Mapping) -> dict[str, float | None]:
        """Compute IoU, Disp and their floors for one photo; none for one without a crop of the asked kind."""
        gt = self._ground_truth(record)
        if len(gt) == 0:
            return {}
        figures = self._at_n("", *iou_disp(record.pred, gt, record.size, self.topk, self.mode))
        if not self.floors:
            return figures
        if self.ground_truth == "all":
            prefix, pool = "random_grid_", gaic_grid_anchors(*record.size, rule="all")
        else:
            prefix, pool = "random_", record.gt
        singles = iou_disp_per_prediction(pool, gt, record.size, self.mode)
        figures |= self._at_n(prefix, *random_iou_disp(*singles, self.topk, self.mode))
        for name, box in (("full_photo", full_photo(record.size)), ("centre_crop", centre_crop(record.size))):
            values = iou_disp_per_prediction(box, gt, record.size, self.mode)
            figures |= {f"{name}_{key}": float(v[0]) for key, v in zip(self._names, values, strict=True)}
        return figures

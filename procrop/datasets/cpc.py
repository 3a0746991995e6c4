"""CPC as a dataset of a model."""

from typing import Any

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class CPCDataset(RecordDataset):
    """CPC: photos with 24 crops each, scored by several annotators. See CPCFormat for its files and its splits.

    Args:
        data_root: the dataset's folder.
        split: "train" or "val"; None takes both.
        positive_threshold: mean score from which a crop is positive (2.0: Jia et al. 2022).
        nms_iou: leave out a positive that overlaps a better one by more than this IoU (0.8: Jia et al. 2022).
        **kwargs: arguments of RecordDataset: ``strict``, ``positive_fallback``, ``pipeline``, ...

    Raises:
        DatasetNotFoundError: the files are not there.
        AnnotationError: some of them cannot be used (``strict``), or none can.
    """

    format_name = "cpc"

    def __init__(
        self,
        data_root: str,
        split: str | None = "train",
        positive_threshold: float | None = 2.0,
        nms_iou: float | None = 0.8,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_root, split, positive_threshold, nms_iou=nms_iou, **kwargs)

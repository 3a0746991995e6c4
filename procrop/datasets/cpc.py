"""CPC as a dataset of a model."""

from typing import Any

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class CPCDataset(RecordDataset):
    """CPC: photos with 24 scored crops each. See CPCFormat for its files.

    Args:
        data_root: the dataset's folder.
        split: "train", "val" or None for all.
        positive_threshold: mean score from which a crop is positive (Jia et al.: 2.0).
        nms_iou: leave out a positive that overlaps a better one by more than this IoU (Jia et al.: 0.8); None keeps
            all.
        **kwargs: arguments of RecordDataset.
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

"""UGCrop5K as a dataset of a model."""

from typing import Any

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class UGCrop5KDataset(RecordDataset):
    """UGCrop5K: photos by users, with up to 90 scored crops each. UGCrop5KFormat says what is known of its files.

    Args:
        data_root: the dataset's folder.
        split: "train", "val" or "test"; None takes all of it.
        positive_threshold: score from which a crop is positive, as for GAICD.
        **kwargs: further arguments of RecordDataset.
    """

    format_name = "ugcrop5k"

    def __init__(
        self, data_root: str, split: str | None = None, positive_threshold: float | None = 4.0, **kwargs: Any
    ) -> None:
        super().__init__(data_root, split, positive_threshold, **kwargs)

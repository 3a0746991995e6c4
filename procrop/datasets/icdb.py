"""ICDB as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class ICDBDataset(RecordDataset):
    """ICDB: photos cropped by three photographers, for testing; a split is one of them. See ICDBFormat."""

    format_name = "icdb"

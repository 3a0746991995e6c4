"""FCDB as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class FCDBDataset(RecordDataset):
    """FCDB: one crop a photo; photos that are gone are left out and counted. See FCDBFormat for its files."""

    format_name = "fcdb"
    photos_vanish = True

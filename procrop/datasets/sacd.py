"""SACD as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class SACDDataset(RecordDataset):
    """SACD: a sample is a photo and one of its subjects. See SACDFormat for its files."""

    format_name = "sacd"

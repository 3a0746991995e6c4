"""The generic format as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class CropJsonlDataset(RecordDataset):
    """Any dataset in the generic JSONL format. See JSONLFormat for it."""

    format_name = "jsonl"

"""FLMS as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class FLMSDataset(RecordDataset):
    """FLMS: 500 photos with up to ten crops by different annotators, for testing. See FLMSFormat for its files."""

    format_name = "flms"

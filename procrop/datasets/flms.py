"""FLMS as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class FLMSDataset(RecordDataset):
    """FLMS: 500 photos with up to ten crops by different annotators, for testing. See FLMSFormat for its files."""

    format_name = "flms"
    # one crop of the release ends 43 pixels below its photo; its overlap with predictions is that of what is there
    crop_tolerance = 64.0

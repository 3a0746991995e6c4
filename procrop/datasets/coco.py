"""COCO-style files as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class CropCOCODataset(RecordDataset):
    """Crops in COCO-style files. See COCOFormat for them."""

    format_name = "coco"

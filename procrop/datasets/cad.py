"""CAD as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class CADDataset(RecordDataset):
    """CAD: out-painted professional photos and their crops. See CADFormat for its files."""

    format_name = "cad"

"""HCIC's JSON files as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class HCICDataset(RecordDataset):
    """One folder of HCIC; ``tag="human"`` keeps its human-centric photos. See HCICFormat for its files."""

    format_name = "hcic"

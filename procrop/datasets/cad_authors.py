"""CAD in the authors' text files as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class CADAuthorsDataset(RecordDataset):
    """CAD in text files as the authors' code reads them. See CADAuthorsFormat for them."""

    format_name = "cad_authors"

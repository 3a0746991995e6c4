"""FCDB as a dataset of a model."""

from procrop.registry import DATASETS

from .record_dataset import RecordDataset


@DATASETS.register_module()
class FCDBDataset(RecordDataset):
    """FCDB: photos of Flickr with one crop each, for testing. See FCDBFormat for its files.

    Photos that are not on the disk are left out and counted in ``report``, also when ``strict``: many are gone.
    """

    format_name = "fcdb"
    photos_vanish = True

"""GAICD as a dataset of a model."""

from pathlib import Path
from typing import Any

from procrop.registry import DATASETS

from .formats.gaic import GAICFormat, GAICv1Format, GAICv2Format
from .record_dataset import RecordDataset

_VERSIONS = {"v1": GAICv1Format, "v2": GAICv2Format}


@DATASETS.register_module()
class GAICDataset(RecordDataset):
    """GAICD: photos with up to 90 grid crops each, scored by several annotators. See GAICFolder for its files.

    A file or line that cannot be used is an error that names it. With ``strict=False`` it is dropped, and
    ``report`` says what was dropped: reason -> list of places ('file:line', with what was expected where a file
    is missing).

    Args:
        data_root: the dataset's folder.
        split: "train", "val" or "test".
        version: "v1" or "v2".
        positive_threshold: MOS from which a crop is positive.
        check_sizes: compare boxes and photo while the list is made (reads every photo's header); otherwise
            LoadCropAnnotations does so when the photo is loaded.
        split_file: file of ids to use instead of ``splits/{split}.txt``, relative to ``data_root``. It is taken as it
            is: what it shares with another split is up to who wrote it.
        **kwargs: arguments of RecordDataset: ``strict``, ``positive_fallback``, ``pipeline``, ...

    Raises:
        DatasetNotFoundError: folders or the split file are missing, or what tells ``val`` from ``train`` is.
        AnnotationError: some files or lines cannot be used (``strict``), or none at all can.
    """

    def __init__(
        self,
        data_root: str,
        split: str = "train",
        version: str = "v2",
        positive_threshold: float = 4.0,
        check_sizes: bool = False,
        split_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        if split not in GAICFormat.splits:
            raise ValueError(f"split must be one of {GAICFormat.splits}, got {split!r}")
        if version not in _VERSIONS:
            raise ValueError(f"version must be 'v1' or 'v2', got {version!r}")
        self.version = version
        self.check_sizes = check_sizes
        self.split_file = split_file
        super().__init__(data_root, split, positive_threshold, **kwargs)

    def crop_format(self) -> GAICFormat:
        """The reader, which here needs the photos."""
        return _VERSIONS[self.version](self.split_file, need_photos=True, check_sizes=self.check_sizes)

    def check_files(self) -> None:
        """See whether the folders and the split file are there, without reading them.

        Raises:
            DatasetNotFoundError: they are not.
        """
        self.crop_format().folder(Path(self.data_root), self.split).check()

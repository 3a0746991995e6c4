"""CAD as a dataset of a model."""

from pathlib import Path

import numpy as np

from procrop.registry import DATASETS

from .errors import AnnotationError
from .record_dataset import RecordDataset
from .records import CropRecord


@DATASETS.register_module()
class CADDataset(RecordDataset):
    """CAD: out-painted professional photos and their crops. See CADFormat for its files.

    Beside the keys of a RecordDataset a sample has, where the record's ``extra`` has them, ``initial_crops`` (n, 4)
    float32 xyxy pixels: windows of the out-painted photo that contain the known area; and ``subject_bbox`` (4,) from
    ``extra["subject"]``, the subject that was found in the known area.
    """

    format_name = "cad"

    def _sample(self, record: CropRecord, photo: str, photos: Path) -> dict:
        sample = super()._sample(record, photo, photos)
        if crops := record.extra.get("initial_crops"):
            sample["initial_crops"] = self._boxes(crops, "initial_crops", record)
        if (subject := record.extra.get("subject")) and record.subject is None:
            sample["subject_bbox"] = self._boxes([subject], "subject", record)[0]
        return sample

    def _boxes(self, values: object, name: str, record: CropRecord) -> np.ndarray:
        try:
            boxes = np.asarray(values, np.float32)
        except (TypeError, ValueError):
            boxes = np.zeros(0, np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not (boxes[:, 2:] > boxes[:, :2]).all():
            raise AnnotationError(
                f"{self.data_root}: {name!r} of {record.img_id!r} must be [x1, y1, x2, y2] with an area"
                f"{', each of a list' if name == 'initial_crops' else ''}"
            )
        return boxes

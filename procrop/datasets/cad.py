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

    Beside the keys of a RecordDataset a sample has ``initial_crops`` (n, 4) float32 xyxy pixels where the record's
    ``extra`` has a list of that name: windows of the out-painted photo that contain the known area.
    """

    format_name = "cad"

    def _sample(self, record: CropRecord, photo: str, photos: Path) -> dict:
        sample = super()._sample(record, photo, photos)
        crops = record.extra.get("initial_crops")
        if crops:
            sample["initial_crops"] = _boxes(crops, record, self.data_root)
        return sample


def _boxes(crops: object, record: CropRecord, root: str) -> np.ndarray:
    try:
        boxes = np.asarray(crops, np.float32)
    except (TypeError, ValueError):
        boxes = np.zeros(0, np.float32)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not (boxes[:, 2:] > boxes[:, :2]).all():
        raise AnnotationError(
            f"{root}: 'initial_crops' of {record.img_id!r} is not a list of boxes [x1, y1, x2, y2] with an area"
        )
    return boxes

"""A dataset of any release format whose reader gives crop records."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .base import CropDataset
from .formats import get_format
from .paths import link_fault
from .positives import select_positives
from .problems import Problems
from .records import UNSCORED_MOS, CropRecord

if TYPE_CHECKING:
    from .formats.base import CropFormat

_MISSING = "photo missing"


class RecordDataset(CropDataset):
    """Records of a release format as samples for a model; a subclass names the format.

    Beside the keys that every CropDataset gives, a sample has ``subject_bbox`` (4,) float32 xyxy pixels where the
    format has subjects, and ``mask_path`` where the mask is on the disk. Crops of a format without scores count as
    5.0, and all are positive.

    Args:
        data_root: the dataset's folder.
        split: one of the format's splits; None takes all of it.
        positive_threshold: score from which a crop is positive; None makes every crop positive.
        positive_fallback: without a crop of that score, take all that share the highest one.
        nms_iou: leave out a positive that overlaps a better one by more than this IoU; None keeps all.
        strict: an annotation or photo that cannot be used is an error that names it; otherwise it is left out, and
            ``report`` says what was: reason -> places.
        tag: keep only the records of this subset, e.g. "human".
        **kwargs: arguments of CropDataset: ``pipeline``, ``test_mode``, ``seed``, ``indices``, ...

    Raises:
        DatasetNotFoundError: the files are not there.
        AnnotationError: some of them cannot be used (``strict``), or none can.
    """

    format_name: ClassVar[str]
    # photos that were deleted at their source are left out and counted, also when strict
    photos_vanish: ClassVar[bool] = False
    # pixels by which a crop may leave its photo, where a release is known for that; None: as LoadCropAnnotations says
    crop_tolerance: ClassVar[float | None] = None

    def __init__(
        self,
        data_root: str,
        split: str | None = None,
        positive_threshold: float | None = None,
        positive_fallback: bool = True,
        nms_iou: float | None = None,
        strict: bool = True,
        tag: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.split = split
        self.positive_threshold = positive_threshold
        self.positive_fallback = positive_fallback
        self.nms_iou = nms_iou
        self.strict = strict
        self.tag = tag
        self.report: dict[str, list[str]] = {}
        super().__init__(data_root=str(data_root), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the records and keep those whose photo is there."""
        root = Path(self.data_root)
        found = self.crop_format().read(root, self.split, self.strict)
        problems, gone = Problems(), Problems()
        samples = []
        for record in found.records:
            if self.tag is not None and self.tag not in record.tags:
                continue
            photo = os.path.join(found.photos, record.photo)
            fault = _photo_fault(photo, root)
            if fault == _MISSING and self.photos_vanish:
                gone.add(photo, fault)
            elif fault:
                problems.add(photo, fault)
            else:
                samples.append(self._sample(record, photo, found.photos))
        if self.strict or not samples:
            problems.raise_if_any()
        if not samples:
            gone.raise_if_any()
            raise ValueError(f"{root}: no record has the tag {self.tag!r}; leave `tag` out to take all")
        problems.entries = found.problems.entries + problems.entries + gone.entries
        self.report = problems.by_reason()
        return samples

    def crop_format(self) -> "CropFormat":
        """The reader of the dataset's files."""
        return get_format(self.format_name)

    def check_files(self) -> None:
        """See whether the folder is there, without reading it.

        Raises:
            DatasetNotFoundError: it is not.
        """
        if not Path(self.data_root).is_dir():
            raise self.crop_format().not_found(Path(self.data_root), "there is no such folder")

    def _sample(self, record: CropRecord, photo: str, photos: Path) -> dict:
        scores = np.full(len(record.boxes), UNSCORED_MOS) if record.scores is None else record.scores
        if self.positive_threshold is None or record.scores is None:
            positives = np.ones(len(scores), dtype=bool)
        else:
            positives = select_positives(
                scores, self.positive_threshold, self.positive_fallback, record.boxes, self.nms_iou
            )
        sample = dict(
            img_path=photo,
            img_id=record.img_id,
            source_id=record.source_id,
            gt_bboxes=record.boxes.astype(np.float32),
            gt_scores=scores.astype(np.float32),
            gt_positives=positives,
        )
        if self.crop_tolerance is not None:
            sample["crop_tolerance"] = self.crop_tolerance
        if record.subject is not None:
            sample["subject_bbox"] = record.subject.astype(np.float32)
        if record.mask is not None:
            mask = os.path.join(photos, record.mask)
            if _photo_fault(mask, Path(self.data_root)) is None:
                sample["mask_path"] = mask
        return sample


def _photo_fault(path: str, root: Path) -> str | None:
    """Say why a file cannot be used, if it cannot; one look at the disk for a plain file."""
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            return None
    except (OSError, ValueError):
        return _MISSING
    return link_fault(Path(path), root) if os.path.isfile(path) else _MISSING

"""The photos of a dataset as records to be scored, with a model's predictions put beside the annotations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from procrop.datasets.positives import select_positives
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropRecord, CropSet
from procrop.evaluation.photo_record import PhotoRecord, make_photo_record
from procrop.evaluation.predictions import Prediction
from procrop.io.photo import PhotoError, read_photo_size

#: score from which a crop is positive, by the first letters of a format's name (as Jia et al. 2022); others have none
POSITIVE_FROM = {"gaic": 4.0, "cpc": 2.0}


@dataclass
class EvaluationPhotos:
    """The photos of one dataset.

    Attributes:
        name: The dataset as people named it.
        records: Its annotations, those of one subset where one was asked for.
        sizes: (width, height) by img_id, as far as known.
        positive_from: Score from which a crop is positive; None makes every crop positive.
    """

    name: str
    records: Sequence[CropRecord]
    sizes: dict[str, tuple[int, int]]
    positive_from: float | None = None

    @property
    def scored(self) -> bool:
        """Whether the annotated crops have scores."""
        return any(record.scores is not None for record in self.records)

    def learn_sizes(self, predictions: Mapping[str, Prediction]) -> None:
        """Take sizes from the predictions where neither annotation nor photo told them."""
        for record in self.records:
            prediction = predictions.get(record.img_id)
            if prediction is not None and prediction.size is not None:
                self.sizes.setdefault(record.img_id, prediction.size)

    def forget_sizes(self) -> int:
        """Take all sizes for unknown (NaN) if one is, for figures that need none; returns how many were unknown."""
        unknown = sum(record.img_id not in self.sizes for record in self.records)
        if unknown:
            self.sizes = {record.img_id: (math.nan, math.nan) for record in self.records}
        return unknown

    def check_sizes(self) -> None:
        """See that every photo's size is known.

        Raises:
            ValueError: Some are not; the message names one and says what would tell.
        """
        unknown = [record.img_id for record in self.records if record.img_id not in self.sizes]
        if unknown:
            raise ValueError(
                f"{self.name}: the size of {len(unknown)} photo(s) is not known, e.g. {unknown[0]!r}; put the photos "
                'where the dataset has them, or give "size" in every line of the predictions'
            )

    def with_predictions(
        self, predictions: Mapping[str, Prediction], problems: Problems
    ) -> list[PhotoRecord]:
        """Put predictions beside the annotations; every size must be known.

        Args:
            predictions: By img_id.
            problems: Takes photos without a prediction (scored as misses), predictions of unknown photos, and those
                that were made on a photo of another size or for another number of crops.

        Returns:
            One record per photo of the dataset, in its order.
        """
        found = []
        for record in self.records:
            prediction = predictions.get(record.img_id)
            if prediction is None:
                problems.add(record.img_id, "photo without a prediction (scored as a miss)")
            elif fault := self._fault(record, prediction):
                problems.add(prediction.place, fault)
                prediction = None
            found.append(self._record(record, prediction))
        known = {record.img_id for record in self.records}
        for img_id, prediction in predictions.items():
            if img_id not in known:
                problems.add(prediction.place, f"photo {img_id!r} is not in the dataset")
        return found

    def _fault(self, record: CropRecord, prediction: Prediction) -> str | None:
        if prediction.size is not None and prediction.size != self.sizes[record.img_id]:
            return "'size' is not that of the photo: boxes must be in pixels of the upright original"
        ranked = prediction.candidate_scores
        if ranked is not None and len(ranked) != len(record.boxes):
            return "'candidate_scores' are not as many as the photo's annotated crops"
        return None

    def _record(self, record: CropRecord, prediction: Prediction | None) -> PhotoRecord:
        if self.positive_from is None or record.scores is None:
            positives = np.ones(len(record.boxes), dtype=bool)
        else:
            positives = select_positives(record.scores, self.positive_from)
        shown = {}
        if prediction is not None:
            ranks_only = prediction.boxes is None
            shown = {
                "pred": record.boxes if ranks_only else prediction.boxes,
                "pred_scores": prediction.candidate_scores if ranks_only else prediction.scores,
                "candidate_scores": prediction.candidate_scores,
            }
        return make_photo_record(
            record.img_id,
            self.sizes[record.img_id],
            record.boxes,
            record.scores,
            positives,
            source_id=record.source_id,
            **shown,
        )


def open_photos(
    crops: CropSet, name: str, tag: str | None = None, positive_from: float | None = None
) -> EvaluationPhotos:
    """Take the records of a dataset, and look up the sizes of their photos.

    Args:
        crops: What was read from the dataset's files.
        name: The dataset as people named it.
        tag: Keep only the records of this subset, e.g. "human".
        positive_from: Score from which a crop is positive; None takes the format's custom.

    Returns:
        The photos; sizes are those in the annotation, else those of the photos that are on the disk.

    Raises:
        ValueError: No record has the tag.
    """
    records = [record for record in crops.records if tag is None or tag in record.tags]
    if not records:
        known = sorted({tag for record in crops.records for tag in record.tags})
        raise ValueError(f"{name}: no record has the tag {tag!r} (its tags: {', '.join(known) or 'none'})")
    sizes: dict[str, tuple[int, int]] = {}
    by_photo: dict[str, tuple[int, int] | None] = {}
    for record in records:
        if record.photo not in by_photo:
            by_photo[record.photo] = record.size or _size_on_disk(crops, record)
        if by_photo[record.photo] is not None:
            sizes[record.img_id] = by_photo[record.photo]
    if positive_from is None:
        customs = [value for start, value in POSITIVE_FROM.items() if crops.name.startswith(start)]
        positive_from = customs[0] if customs else None
    return EvaluationPhotos(name, records, sizes, positive_from)


def _size_on_disk(crops: CropSet, record: CropRecord) -> tuple[int, int] | None:
    try:
        return read_photo_size(crops.photo_path(record))
    except PhotoError:
        return None  # not there, or damaged: the predictions may tell

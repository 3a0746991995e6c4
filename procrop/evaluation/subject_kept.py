"""Do crops of a given ratio keep the subject whole?

A photo counts for a ratio if the largest crop of that ratio could hold the subject: of the others no cropper can keep
it. A crop that takes less of the photo cuts more, so the crop's share of the photo belongs to every figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from procrop.evaluation.bootstrap import Difference, paired_difference
from procrop.evaluation.comparison import Draws
from procrop.evaluation.known_subjects import KnownSubject
from procrop.evaluation.mcnemar import mcnemar_p
from procrop.structures.boxes import box_area, kept_share

#: of the photo's side: what a subject may reach out of a crop and still count as whole, for its box is drawn by eye
TOLERANCE = 0.01
#: name of the figures over all ratios together
ALL = "all"


def largest_extent(size: tuple[int, int], ratio: float) -> tuple[float, float]:
    """(width, height) of the largest crop of width / height ``ratio`` in a photo of (width, height)."""
    return min(size[0], size[1] * ratio), min(size[1], size[0] / ratio)


def largest_crop(
    size: tuple[int, int], ratio: float, centre: tuple[float, float] | None = None
) -> np.ndarray:
    """The largest crop (4,) ``xyxy`` of a ratio whose middle is as near to a point as it can; None: the photo's."""
    extent = np.array(largest_extent(size, ratio))
    middle = np.array(size) / 2 if centre is None else np.array(centre)
    low = np.clip(middle - extent / 2, 0, np.array(size) - extent)
    return np.concatenate([low, low + extent])


def can_be_kept(box: Sequence[float], size: tuple[int, int], ratio: float) -> bool:
    """Whether a crop of the ratio can hold a box (4,) ``xyxy`` of a photo of (width, height)."""
    width, height = largest_extent(size, ratio)
    return box[2] - box[0] <= width and box[3] - box[1] <= height


def keeps_whole(
    crop: Sequence[float], box: Sequence[float], size: tuple[int, int], tolerance: float = TOLERANCE
) -> bool:
    """Whether a crop (4,) ``xyxy`` holds a box, but for ``tolerance`` of the photo's side at each edge."""
    crop, box, slack = np.asarray(crop), np.asarray(box), tolerance * np.array(size)
    return bool((crop[:2] <= box[:2] + slack).all() and (crop[2:] >= box[2:] - slack).all())


@dataclass(frozen=True, eq=False)
class KeptFigures:
    """How a part of the photos fared with the croppers, at one ratio or at all of them.

    Attributes:
        ratio: as it was asked for, or ALL.
        part: "subject" or "head".
        photos: (T,) numbers of the photos that count; with ALL each ratio's, one after the other.
        whole: cropper -> (T,) bool, kept whole; a photo that it rejected is not kept.
        share: cropper -> (T,) share of the part's box that is kept.
        area: cropper -> (T,) the crop's share of the photo, NaN where it rejected the photo.
    """

    ratio: str
    part: str
    photos: np.ndarray
    whole: Mapping[str, np.ndarray]
    share: Mapping[str, np.ndarray]
    area: Mapping[str, np.ndarray]

    def ahead(self, first: str, other: str, draws: Draws) -> tuple[Difference, float | None]:
        """Share kept whole of one cropper less that of another, over draws of the photos, and the exact p of McNemar's
        test; no p for ALL, where the same photos come several times."""
        change = paired_difference(
            self.whole[first], self.whole[other], draws.resamples, draws.seed, draws.level, self.photos
        )
        return change, None if self.ratio == ALL else mcnemar_p(self.whole[first], self.whole[other])


def measure_kept(
    subjects: Sequence[KnownSubject],
    crops: Mapping[str, Mapping[str, Sequence[np.ndarray | None]]],
    ratios: Mapping[str, float],
    part: str = "subject",
) -> list[KeptFigures]:
    """Measure croppers on the photos whose subject, or its head, fits into a crop of the ratio.

    Args:
        subjects: the photos.
        crops: cropper -> ratio -> a crop (4,) ``xyxy`` for each photo, or None where it was rejected.
        ratios: ratio as it was asked for -> width / height.
        part: "subject" or "head".

    Returns:
        The figures of each ratio that any photo counts for, then those of all together if there are several.
    """
    found = []
    for ratio, value in ratios.items():
        fitting = [
            number
            for number, known in enumerate(subjects)
            if known.box(part) is not None and can_be_kept(known.box(part), known.size, value)
        ]
        if fitting:
            judged = {
                name: [_judge(subjects[n], part, by_ratio[ratio][n]) for n in fitting]
                for name, by_ratio in crops.items()
            }
            columns = [{name: np.array(rows)[:, i] for name, rows in judged.items()} for i in range(3)]
            whole = {name: values.astype(bool) for name, values in columns[0].items()}
            found.append(KeptFigures(ratio, part, np.array(fitting), whole, *columns[1:]))
    return [*found, _together(found)] if len(found) > 1 else found


def _judge(known: KnownSubject, part: str, crop: np.ndarray | None) -> tuple[float, float, float]:
    if crop is None:
        return 0.0, 0.0, np.nan
    box = known.box(part)
    share = float(kept_share(np.asarray(crop)[None], box)[0])
    return float(keeps_whole(crop, box, known.size)), share, float(box_area(crop)) / np.prod(known.size)


def _together(figures: Sequence[KeptFigures]) -> KeptFigures:
    names = figures[0].whole
    joined = [
        {name: np.concatenate([getattr(f, key)[name] for f in figures]) for name in names}
        for key in ("whole", "share", "area")
    ]
    return KeptFigures(ALL, figures[0].part, np.concatenate([f.photos for f in figures]), *joined)

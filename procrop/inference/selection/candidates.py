"""Crops that come into question around what a model predicts."""

import numpy as np

from procrop.structures.boxes import box_area

from .exact_sizes import ExactSizes


def ratio_candidates(
    boxes: np.ndarray, photo: tuple[int, int], sizes: ExactSizes, subject: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Crops of an exact ratio around each prediction, all inside the photo and in whole pixels.

    For each prediction, in this order:

    1. the same centre and the same area;
    2. the smallest that contains it, in the middle and at both ends of the room that it has;
    3. the largest inside it, likewise;
    4. with a subject: the smallest that contains the prediction and the subject; and the first of 1, 2, 3 and 5 moved
       least to hold the subject. One that is too small for it becomes the smallest that holds it, or, where none does,
       the one that covers the most of it;
    5. the largest in the photo, its centre as near as can be to the prediction's.

    Args:
        boxes: (N, 4) float64 xyxy, predictions inside the photo.
        photo: (width, height).
        sizes: the sizes of the ratio in that photo.
        subject: (4,) xyxy in whole pixels inside the photo, or None.

    Returns:
        Boxes (M, 4) float64 of whole numbers, M at most 13 N; and the number of the prediction that each one is made
        from, (M,) int64. Candidates of one kind lie together, kinds in the order above.
    """
    frame = np.array([[0, 0], photo], np.float64)
    centres, extents = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    hulls = np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])
    cores = np.ceil(boxes[:, :2]), np.floor(boxes[:, 2:])
    everyone = np.ones(len(boxes), bool)

    same = sizes.of_area(extents.prod(axis=1))
    around, can_contain = sizes.containing(hulls[1] - hulls[0])
    within, can_shrink = sizes.inside(cores[1] - cores[0])
    largest = np.tile(sizes.largest, (len(boxes), 1))

    kinds = [(_place(same, centres, frame), everyone)]
    for size, region, usable in ((around, hulls, can_contain), (within, cores, can_shrink)):
        # a centre far beyond the region comes to lie at its end
        for target in (centres, centres - sum(photo), centres + sum(photo)):
            kinds.append((_place(size, target, region, frame), usable))
    if subject is not None:
        held = subject[:2], subject[2:]
        joined = np.minimum(hulls[0], held[0]), np.maximum(hulls[1], held[1])
        union, can_join = sizes.containing(joined[1] - joined[0])
        kinds.append((_place(union, centres, joined, frame), can_join))
        holding = sizes.holding(held[1] - held[0])
        for size in (same, around, within, largest):
            enough = (size >= held[1] - held[0]).all(axis=1, keepdims=True)
            kinds.append((_place(np.where(enough, size, holding), centres, held, frame), everyone))
    kinds.append((_place(largest, centres, frame), everyone))

    owners = np.arange(len(boxes))
    return np.concatenate([made[usable] for made, usable in kinds]), np.concatenate(
        [owners[usable] for _, usable in kinds]
    )


def free_candidates(
    boxes: np.ndarray, photo: tuple[int, int], min_area: float, subject: np.ndarray | None
) -> np.ndarray:
    """Predictions, changed as little as the least area and the subject ask; their shapes are free.

    A prediction that cuts the subject is widened to the smallest box that contains both. One that is too small then
    grows about its centre in its own shape; at the photo's border it is shifted inwards, and where a side is as long
    as the photo's, the other side grows on.

    Args:
        boxes: (N, 4) float64 xyxy, predictions inside the photo.
        photo: (width, height).
        min_area: least share of the photo's area, in [0, 1].
        subject: (4,) xyxy inside the photo, or None.

    Returns:
        (N, 4) float64, each made from the prediction of that place.
    """
    if subject is not None:
        boxes = np.concatenate(
            [np.minimum(boxes[:, :2], subject[:2]), np.maximum(boxes[:, 2:], subject[2:])], axis=1
        )
    frame = np.array(photo, np.float64)
    least = min_area * frame.prod()
    small = box_area(boxes) < least
    extents = boxes[small, 2:] - boxes[small, :2]
    grown = extents * np.sqrt(least / extents.prod(axis=1, keepdims=True))
    # where one side is longer than the photo's, the other makes up for it
    grown = np.where(grown > frame, frame, np.maximum(grown, least / np.minimum(grown, frame)[:, ::-1]))
    grown = np.minimum(grown, frame)
    low = np.clip((boxes[small, :2] + boxes[small, 2:] - grown) / 2, 0, frame - grown)
    boxes = boxes.copy()
    boxes[small] = np.concatenate([low, np.minimum(low + grown, frame)], axis=1)
    return boxes


def _place(
    sizes: np.ndarray, centres: np.ndarray, *regions: tuple[np.ndarray, np.ndarray] | np.ndarray
) -> np.ndarray:
    """Boxes (n, 4) of whole-pixel sizes (n, 2), as near to centres (n, 2) as regions let them.

    A region (low corner, high corner) is held whole by a box that is larger, and holds a box that is smaller, axis by
    axis. Later regions are more important.
    """
    low = np.rint(centres - sizes / 2)
    for start, end in regions:
        low = np.clip(low, np.minimum(start, end - sizes), np.maximum(start, end - sizes))
    return np.concatenate([low, low + sizes], axis=1)

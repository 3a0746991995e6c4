"""Does a cropper find seams instead of compositions? Photos with pasted seams, and how far its crops follow them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from procrop.structures.seams import SEAM_KINDS, paste_seam, random_seam_box

from .bootstrap import Difference, paired_difference

# seams keep away from the photo's edges, which many crops touch
_MARGIN = 0.05


@dataclass(frozen=True)
class SeamPhoto:
    """A photo with a pasted seam.

    Attributes:
        name: Of the photo.
        kind: Of the seam, one of `SEAM_KINDS`.
        box: (4,) float64 xyxy: the rectangle at whose border the seam runs.
        photo: (H, W, 3) uint8 RGB, altered outside the rectangle.
    """

    name: str
    kind: str
    box: np.ndarray
    photo: np.ndarray


@dataclass(frozen=True)
class SeamFollowing:
    """How far predicted borders follow pasted seams.

    Attributes:
        followed: Share of predicted borders near a seam border, less the share of the same predictor's borders near
            the same places in the photo without the seam. 0: seams have no effect; 1: every border follows one; below
            0 by chance, or where a predictor avoids seams. With bootstrap interval over photos.
        with_seam, without_seam: The two shares.
        distance_with, distance_without: Mean distance of a predicted border to the nearest seam border, as a share of
            the photo's width or height.
        by_kind: ``followed`` for each kind of seam.
        photos: Number of photos.
        probes: Number of pasted seams.
    """

    followed: Difference
    with_seam: float
    without_seam: float
    distance_with: float
    distance_without: float
    by_kind: dict[str, float]
    photos: int
    probes: int


def seam_photos(
    name: str, photo: np.ndarray, seed: int = 0, kinds: Sequence[str] = SEAM_KINDS
) -> Iterator[SeamPhoto]:
    """Paste one seam of each kind, each at a random place of its own; a function of seed, name, kind and photo.

    Args:
        name: Of the photo.
        photo: (H, W, 3) uint8 RGB without seam.
        seed: Equal seeds give equal seams.
        kinds: Of the seams.

    Raises:
        ValueError: Unknown kind, or a photo too small for a seam.
    """
    height, width = photo.shape[:2]
    for kind in kinds:
        digest = hashlib.sha256(f"{seed}/{kind}/{name}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:16], "little"))
        box = random_seam_box((width, height), rng, margin=_MARGIN)
        yield SeamPhoto(name, kind, box, paste_seam(photo, box, kind, rng))


def border_distances(boxes: np.ndarray, seam: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Distance of each border of boxes to the nearest border of a seam that runs the same way.

    Args:
        boxes: (n, 4) xyxy.
        seam: (4,) xyxy.
        size: (width, height) of the photo.

    Returns:
        (n, 4) float64 for left, top, right, bottom, as shares of the width (left, right) or height.
    """
    scale = np.array(size, dtype=np.float64)
    edges = np.asarray(boxes, np.float64).reshape(-1, 2, 1, 2)
    gaps = np.abs(edges - np.asarray(seam, np.float64).reshape(1, 1, 2, 2)) / scale
    return gaps.min(axis=2).reshape(-1, 4)


def seam_following(
    predictor: Callable[[np.ndarray], np.ndarray],
    photos: Iterable[tuple[str, np.ndarray]],
    seed: int = 0,
    kinds: Sequence[str] = SEAM_KINDS,
    top: int = 1,
    tolerance: float = 0.02,
    resamples: int = 10_000,
    level: float = 0.95,
) -> SeamFollowing:
    """Measure how far a predictor's crops follow seams pasted into photos that have none.

    Args:
        predictor: Takes a photo (H, W, 3) uint8 RGB, gives boxes (n, 4) xyxy in its pixels, best first.
        photos: Names and unaltered photos, not outpainted ones; read one at a time.
        seed: Of the seams and of the bootstrap.
        kinds: Of the seams, one of each a photo.
        top: Number of best boxes of a photo that count; all where it has fewer.
        tolerance: Largest distance from a seam that counts as following it, as a share of width or height.
        resamples: Number of draws of the bootstrap.
        level: Coverage of the interval.

    Raises:
        ValueError: No photo, a name that comes twice, or a predictor that answers with something else than boxes.
    """
    if top < 1 or not 0 < tolerance < _MARGIN:
        raise ValueError(f"top must be at least 1 and tolerance in (0, {_MARGIN}), got {top} and {tolerance}")
    rows, seen = [], set()
    for name, photo in photos:
        if name in seen:
            raise ValueError(f"photo {name} comes twice: give each a name of its own")
        seen.add(name)
        size = (photo.shape[1], photo.shape[0])
        plain = _best(predictor, photo, top, name)
        for probe in seam_photos(name, photo, seed, kinds):
            found = _best(predictor, probe.photo, top, name)
            distances = [border_distances(boxes, probe.box, size) for boxes in (found, plain)]
            near = [float((d <= tolerance).mean()) for d in distances]
            rows.append((name, probe.kind, *near, *(float(d.mean()) for d in distances)))
    if not rows:
        raise ValueError("the seam probe needs at least one photo and one kind of seam")
    figures = np.array([row[2:] for row in rows])
    names, found_kinds = [row[0] for row in rows], np.array([row[1] for row in rows])
    change = figures[:, 0] - figures[:, 1]
    followed = paired_difference(figures[:, 0], figures[:, 1], resamples, seed, level, units=names)
    return SeamFollowing(
        followed,
        *figures.mean(axis=0).tolist(),
        {kind: float(change[found_kinds == kind].mean()) for kind in kinds},
        len(seen),
        len(rows),
    )


def _best(
    predictor: Callable[[np.ndarray], np.ndarray], photo: np.ndarray, top: int, name: str
) -> np.ndarray:
    """(n, 4) the best boxes of a photo; it gets a copy, so that no predictor alters what the next one sees."""
    boxes = np.asarray(predictor(photo.copy()), dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes) or not np.isfinite(boxes).all():
        raise ValueError(
            f"photo {name}: the predictor must give finite boxes (n, 4) with n >= 1, got an array of {boxes.shape}"
        )
    return boxes[:top]

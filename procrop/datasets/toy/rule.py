"""The composition rule that scores crops of a toy photo, and the best any crop can do without knowing the style.

The rule judges a crop by six things, each in [0, 1]:

* whole: the subject is inside the crop, with air around it (multiplies everything else);
* thirds: its middle is on a vertical third, or, when a style is given, on the left or on the right one; a
  smaller part asks for the subject's middle height to be near a horizontal third;
* share: the subject fills a stated share of the crop (tightness seen from the subject);
* clean: distractors, a second subject among them, are outside; what of them is inside counts against the crop;
* horizon: it lies on a third of the crop's height;
* tight: the crop leaves out a stated part of the photo, and neither hugs nor wastes it.

In a photo of two subjects a good crop shows one of them, so it is smaller than GAIC's grid allows: at least half of
the photo, where any two crops share much. Such photos have a grid of their own, see `pair_boxes`.
"""

import numpy as np

from procrop.datasets.toy.scene import Scene
from procrop.structures.boxes import box_iou

STYLES = ("left", "right")
WEIGHTS = {"thirds": 0.30, "share": 0.16, "clean": 0.24, "horizon": 0.18, "tight": 0.12}
STYLED_WEIGHTS = {"thirds": 0.60, "share": 0.08, "clean": 0.03, "horizon": 0.18, "tight": 0.11}
PAIR_WEIGHTS = {"thirds": 0.35, "share": 0.10, "clean": 0.30, "horizon": 0.10, "tight": 0.15}
SUBJECT_SHARE = 0.38  # sqrt(subject area / crop area) that looks right
CROP_AREA = 0.54  # crop area / photo area that looks right
PAIR_CROP_AREA, PAIR_SUBJECT_SHARE = 0.28, 0.52  # the same where a crop is to show one of two subjects
ANNOTATOR_NOISE = 0.25  # standard deviation of one annotator's opinion
STYLED_ANNOTATOR_NOISE = 0.05  # small, so that no noise hides which style or subject a photo wants
AIR = 0.05  # room around the subject, fraction of the crop


def score_crops(scene: Scene, boxes: np.ndarray, style: str | None = None) -> np.ndarray:
    """Score crops by the rule.

    Args:
        scene: the photo.
        boxes: (n, 4) xyxy in fractions of the photo.
        style: "left" or "right" for the third that the subject must be on, none for the nearer one.

    Returns:
        (n,) float64 in [0, 1], before annotators.

    Raises:
        ValueError: for an unknown style.
    """
    if style is not None and style not in STYLES:
        raise ValueError(f"unknown style {style!r}: use one of {STYLES} or None")
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    origin, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    subject = np.asarray(scene.subject)
    centre = ((subject[:2] + subject[2:]) / 2 - origin) / size
    area = size.prod(axis=1)
    alone = scene.second is None
    share, crop_area = (SUBJECT_SHARE, CROP_AREA) if alone else (PAIR_SUBJECT_SHARE, PAIR_CROP_AREA)
    subject_area = (subject[2:] - subject[:2]).prod()
    terms = {
        "thirds": _on_third(centre, style),
        "share": _bell(np.log(np.sqrt(subject_area / area) / share), 0.3),
        "clean": _clean(scene, boxes),
        "horizon": _bell(_to_third((scene.horizon - origin[:, 1]) / size[:, 1]), 0.07),
        "tight": _bell(area - crop_area, 0.12),
    }
    weights = STYLED_WEIGHTS if style is not None else WEIGHTS if alone else PAIR_WEIGHTS
    return _whole(subject, boxes) * sum(weights[name] * term for name, term in terms.items())


def _bell(distance: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-((distance / width) ** 2))


def _to_third(position: np.ndarray) -> np.ndarray:
    """Distance of relative positions from the nearer third."""
    return np.minimum(np.abs(position - 1 / 3), np.abs(position - 2 / 3))


def _on_third(centre: np.ndarray, style: str | None) -> np.ndarray:
    x, y = centre.T
    distance = _to_third(x) if style is None else np.abs(x - (1 / 3 if style == "left" else 2 / 3))
    # With a style the fall is gentle at first, so that crops a step off still please, and the wrong side does not.
    across = _bell(distance, 0.08 if style is None else 0.11)
    return (0.75 if style is None else 0.9) * across + (0.25 if style is None else 0.1) * _bell(
        _to_third(y), 0.1
    )


def _overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Share of `box` (4,) that lies inside each of `boxes` (n, 4)."""
    side = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.maximum(side, 0).prod(axis=1) / (box[2:] - box[:2]).prod()


def _whole(subject: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    size = boxes[:, 2:] - boxes[:, :2]
    air = np.minimum((subject[:2] - boxes[:, :2]) / size, (boxes[:, 2:] - subject[2:]) / size).min(axis=1)
    return _overlap(subject, boxes) ** 3 * (0.6 + 0.4 * np.clip(air / AIR, 0, 1))


def _clean(scene: Scene, boxes: np.ndarray) -> np.ndarray:
    others = [thing.box for thing in scene.distractors] + ([scene.second[1]] if scene.second else [])
    seen = [_overlap(np.asarray(box), boxes) for box in others]
    return np.prod([1 - 0.7 * np.sqrt(s) for s in seen], axis=0) if seen else np.ones(len(boxes))


def grid_boxes(width: int, height: int) -> np.ndarray:
    """The annotated crops of a photo: GAIC's grid rounded to whole pixels, (n, 4) float64 xyxy."""
    from procrop.structures.grid_anchors import gaic_grid_anchors

    return gaic_grid_anchors(width, height, round_to_pixels=True)


def pair_boxes(width: int, height: int) -> np.ndarray:
    """The annotated crops of a photo of two subjects, rounded to whole pixels, (n, 4) float64 xyxy.

    Their corners lie on GAIC's 12 x 12 positions, anywhere in the photo; they are 5 to 7 steps wide, 5 to 9 high, and
    half to twice as wide as high.
    """
    spans = {
        steps: [(first, first + step) for step in steps for first in range(12 - step)]
        for steps in (range(5, 8), range(5, 10))
    }
    across, down = spans.values()
    cells = np.array([(x1, y1, x2, y2) for y1, y2 in down for x1, x2 in across]) + 0.5
    boxes = np.round(cells / 12 * (width, height, width, height))
    aspect = (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])
    return boxes[(aspect > 0.5) & (aspect < 2)]


def annotated_boxes(scene: Scene, width: int, height: int) -> np.ndarray:
    """The annotated crops of a photo of a scene, (n, 4) float64 xyxy pixels."""
    return (grid_boxes if scene.second is None else pair_boxes)(width, height)


def to_fractions(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Boxes (..., 4) in pixels as fractions of the photo."""
    return np.asarray(boxes, np.float64) / (width, height, width, height)


def best_crop(scene: Scene, width: int, height: int, style: str | None = None) -> np.ndarray:
    """The annotated crop that the rule likes best: (4,) xyxy pixels, the first one among equals."""
    boxes = annotated_boxes(scene, width, height)
    return boxes[int(np.argmax(score_crops(scene, to_fractions(boxes, width, height), style)))]


def best_framing(scene: Scene, shares: np.ndarray, style: str | None = None) -> np.ndarray:
    """The frame, free of any grid, that the rule likes best: how a professional would have taken the photo.

    Args:
        scene: the place.
        shares: (k,) widths to try as fractions of the photo; the frame keeps the photo's aspect ratio.
        style: as in `score_crops`.

    Returns:
        (4,) xyxy in fractions of the photo.
    """
    frames = []
    for share in shares:
        start = np.linspace(0, 1 - share, 33)
        x, y = (axis.ravel() for axis in np.meshgrid(start, start))
        frames.append(np.stack([x, y, x + share, y + share], axis=1))
    candidates = np.concatenate(frames)
    return candidates[int(np.argmax(score_crops(scene, candidates, style)))]


def blind_box(first: np.ndarray, second: np.ndarray, steps: int = 7) -> tuple[np.ndarray, float]:
    """The one box with the highest mean IoU with two boxes: the best guess for who cannot tell which is right.

    The search is over a grid between the two boxes' edges (where the optimum lies), then around its best point.

    Args:
        first, second: (4,) xyxy, in pixels.
        steps: positions per edge.

    Returns:
        The box (4,) and its mean IoU.
    """
    pair = np.stack([first, second]).astype(np.float64)
    low, high = pair.min(axis=0), pair.max(axis=0)
    box, value = pair[0], 0.0
    for _ in range(3):
        edges = [np.unique(np.linspace(a, b, steps)) for a, b in zip(low, high, strict=True)]
        grid = np.stack(np.meshgrid(*edges, indexing="ij"), axis=-1).reshape(-1, 4)
        means = box_iou(grid, pair).mean(axis=1)
        if means.max() > value:
            box, value = grid[int(np.argmax(means))], float(means.max())
        reach = (high - low) / (steps - 1)
        low, high = np.maximum(low, box - reach), np.minimum(high, box + reach)
    return box, value


def blind_best(scene: Scene, width: int, height: int) -> tuple[np.ndarray, float]:
    """The single crop that serves both styles best, and its expected IoU: a ceiling without references.

    A model that sees the photo, knows the rule and guesses the style (both equally likely) cannot expect a higher
    IoU with `best_crop(scene, ..., style)` than this.

    Returns:
        (4,) xyxy pixels and the mean IoU in [0, 1].
    """
    left, right = (best_crop(scene, width, height, style) for style in STYLES)
    return blind_box(left, right)


def annotate(
    scores: np.ndarray, rng: np.random.Generator, noise: float, annotators: int = 7, keep_best: bool = False
) -> np.ndarray:
    """Mean opinion scores from the rule's scores: seven people with their own taste use the whole scale.

    Args:
        scores: (n,) of `score_crops` for all annotated crops of one photo.
        rng: source of the annotators' taste.
        noise: standard deviation of one annotator's opinion.
        annotators: how many opinions are averaged.
        keep_best: hold every other crop at least 0.02 below the rule's favourite.

    Returns:
        (n,) float64 in [1, 5], two decimals.
    """
    span = max(float(scores.max() - scores.min()), 1e-9)
    relative = (scores - scores.min()) / span
    top = 4.3 + 0.45 * float(np.clip(scores.max(), 0, 1))
    mean = 1.3 + (top - 1.3) * relative
    opinions = mean + rng.normal(0, noise, (annotators, len(scores)))
    mos = np.round(np.clip(opinions, 1, 5).mean(axis=0), 2)
    if keep_best:
        best = int(np.argmax(scores))
        others = np.arange(len(scores)) != best
        mos[others] = np.minimum(mos[others], np.round(mos[best] - 0.02, 2))
    return mos

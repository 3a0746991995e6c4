"""What can be wrong with a request, told before any photo is read."""

import math
from numbers import Integral, Real

from procrop.inference.crop_request import CropRequest

from .aspect_ratio import AspectRatio

# sizes are rounded from ratios (1200 x 630 is called 1.91:1)
_SAME_RATIO = 0.01


def wanted_ratio(request: CropRequest, photo: tuple[int, int] | None) -> AspectRatio | None:
    """The ratio that crops of a photo are to have; None: any.

    A ``size`` implies it: what is written is the crop, scaled to that size, and a crop of fewer pixels is enlarged.

    Args:
        request: What is asked.
        photo: (width, height) of the upright photo, for the ratio "original"; None where it is not known yet.

    Raises:
        ValueError: Ratio or size cannot be read, or they contradict each other.
    """
    if request.size is None:
        return None if request.ratio is None else AspectRatio.parse(request.ratio, photo)
    ratio = AspectRatio.of_size(request.size)
    if request.ratio is not None:
        given = AspectRatio.parse(request.ratio, photo)
        if abs(float(given.value / ratio.value) - 1) > _SAME_RATIO:
            raise ValueError(
                f"a size of {request.size[0]} x {request.size[1]} is not of the ratio {request.ratio}; "
                "leave one of them out: a size implies its ratio"
            )
    return ratio


def check_request(request: CropRequest) -> None:
    """Look at what of a request depends on no photo and no model.

    Raises:
        ValueError: A value cannot be used; the message says what can.
    """
    if isinstance(request.top_k, bool) or not isinstance(request.top_k, Integral) or request.top_k < 1:
        raise ValueError(f"top_k must be a whole number of at least 1, got {request.top_k!r}")
    for name in ("min_area", "max_overlap"):
        share = getattr(request, name)
        if name == "max_overlap" and share is None:
            continue
        if not isinstance(share, Real) or not 0 <= share <= 1:
            raise ValueError(f"{name} is a share in [0, 1], got {share!r}")
    original = isinstance(request.ratio, str) and request.ratio.strip().lower() == "original"
    if original and request.size is not None:
        raise ValueError("the ratio 'original' is that of each photo, and a size has its own; leave one out")
    wanted_ratio(request, (1, 1))
    if request.subject is not None:
        check_subject(request.subject)


def check_subject(subject: tuple[float, float, float, float]) -> None:
    """Raise a ValueError unless a subject is a box ``x1, y1, x2, y2`` with an area."""
    subject = tuple(subject)
    if len(subject) != 4 or not all(math.isfinite(edge) for edge in subject):
        raise ValueError(f"a subject is four finite numbers x1, y1, x2, y2 in pixels, got {subject}")
    if not (subject[0] < subject[2] and subject[1] < subject[3]):
        raise ValueError(f"a subject is a box x1, y1, x2, y2 with x1 < x2 and y1 < y2, got {subject}")

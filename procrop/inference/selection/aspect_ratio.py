"""Aspect ratios as people write them."""

import re
from dataclasses import dataclass
from fractions import Fraction

#: a ratio beyond this, or below one over it, is taken for a slip
MOST = 20

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,20})?"
_RATIO = re.compile(rf"\s*({_NUMBER})\s*(?:[:x/]\s*({_NUMBER})\s*)?", re.IGNORECASE | re.ASCII)
_FORMS = 'write it as width:height ("16:9", "4x5", "1.91:1"), as a number ("1.5") or as "original"'
# a float written out (1.7777777777777777) is the fraction that was meant (16:9); decimals up to six places stay exact
_MOST_PARTS = 10**6


@dataclass(frozen=True)
class AspectRatio:
    """Width over height of a crop.

    Attributes:
        value: width / height, above 0.
        text: as it was written.
    """

    value: Fraction
    text: str

    @classmethod
    def parse(cls, text: str, size: tuple[int, int] | None = None) -> "AspectRatio":
        """Read a ratio.

        Args:
            text: ``"16:9"``, ``"4x5"``, ``"4/5"``, ``"1.91:1"``, ``"1.5"``, or ``"original"`` for the photo's own.
            size: (width, height) of the upright photo, for ``"original"``.

        Raises:
            ValueError: It is no ratio, one of its sides is 0, it is beyond 20:1 or 1:20, or it is ``"original"`` and
                there is no photo.
        """
        if not isinstance(text, str):
            raise ValueError(f"a ratio is text, got {text!r}; {_FORMS}")
        if text.strip().lower() == "original":
            if size is None:
                raise ValueError("the ratio 'original' is that of a photo; give the photo's size")
            return cls(Fraction(*map(int, size)), text)
        match = _RATIO.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no aspect ratio; {_FORMS}")
        width, height = (Fraction(side) for side in (match[1], match[2] or "1"))
        return cls(_within_bounds(width, height, text), text)

    @classmethod
    def of_size(cls, size: tuple[int, int]) -> "AspectRatio":
        """The ratio of a (width, height) in pixels.

        Raises:
            ValueError: A side is no whole number above 0, or the ratio is beyond 20:1 or 1:20.
        """
        text = "x".join(map(str, size))
        if len(size) != 2 or any(side != int(side) for side in size):
            raise ValueError(f"a size is a width and a height in whole pixels, got {text}")
        return cls(_within_bounds(Fraction(int(size[0])), Fraction(int(size[1])), text), text)


def _within_bounds(width: Fraction, height: Fraction, text: str) -> Fraction:
    if width <= 0 or height <= 0:
        raise ValueError(f"{text!r}: width and height of an aspect ratio must be above 0")
    value = width / height
    if not Fraction(1, MOST) <= value <= MOST:
        raise ValueError(f"{text!r} is beyond {MOST}:1 or 1:{MOST}; give a ratio between them")
    return value.limit_denominator(_MOST_PARTS)

"""Exactness of a ratio by its definition, tried out over all sizes of a small photo."""

from fractions import Fraction


def nearest_widths(ratio: Fraction, height: int, most: int) -> set[int]:
    """Widths up to ``most`` whose w / h is nearest to the ratio."""
    return _least({w: abs(Fraction(w, height) - ratio) for w in range(1, most + 1)})


def nearest_heights(ratio: Fraction, width: int, most: int) -> set[int]:
    """Heights up to ``most`` for which w / h is nearest to the ratio."""
    return _least({h: abs(Fraction(width, h) - ratio) for h in range(1, most + 1)})


def is_exact(ratio: Fraction, width: int, height: int) -> tuple[bool, bool]:
    """Whether no width and no height one pixel off is nearer to the ratio; both errors have one valley."""
    p, q = ratio.numerator, ratio.denominator

    def nearer(w: int, h: int) -> bool:  # |w / h - p / q| < |width / height - p / q|, in whole numbers
        return abs(w * q - h * p) * height < abs(width * q - height * p) * h

    return (
        not any(nearer(w, height) for w in (width - 1, width + 1) if w > 0),
        not any(nearer(width, h) for h in (height - 1, height + 1) if h > 0),
    )


def _least(errors: dict[int, Fraction]) -> set[int]:
    least = min(errors.values())
    return {key for key, error in errors.items() if error == least}

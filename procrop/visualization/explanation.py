"""What pictures and pages say of how the crops of a photo came about."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from procrop.inference import CropResult

NOT_RECORDED = "not recorded"
UNTOUCHED = "not defined: no prediction overlaps this crop"


@dataclass(frozen=True)
class ExplainedReference:
    """A reference with what each crop made of it.

    Attributes:
        name: its name in the gallery.
        path: its file, or None.
        similarity: to the photo; larger is nearer.
        copies: how often it counts.
        shares: (n,) share of each crop's attention on it; None where none was recorded.
        credit: title, author and licence, as far as the gallery says; "" where it does not.
    """

    name: str
    path: str | None
    similarity: float
    copies: int
    shares: np.ndarray | None
    credit: str = ""


@dataclass(frozen=True)
class AttentionPart:
    """One of the things a crop's attention went to.

    Attributes:
        key: "references", "photo", "text" or "null".
        label: the same in words.
        share: its share.
    """

    key: str
    label: str
    share: float


_LABELS = {
    "references": "the references",
    "photo": "the photo itself",
    "text": "the caption",
    "null": "none (null token)",
}


def check_explainable(result: "CropResult") -> None:
    """Raise a ValueError for a result that holds nothing to be shown."""
    if result.rejected is not None:
        raise ValueError(f"{result.path}: rejected, so there is no crop to explain: {result.rejected}")
    if result.image is None:
        raise ValueError(f"{result.path}: the result carries no photo; use one that still has its `image`")


def explained_references(result: "CropResult") -> list[ExplainedReference]:
    """The references of a result, in its order."""
    attention, found = result.attention, []
    for reference in result.references:
        shares = None
        if attention is not None:
            shares = np.array([attention.of(reference.id, rank) for rank in range(len(result.boxes))])
        found.append(
            ExplainedReference(
                reference.name, reference.path, reference.score, reference.weight, shares, reference.credit
            )
        )
    return found


def attention_parts(result: "CropResult", rank: int) -> list[AttentionPart]:
    """What a crop's attention went to, with the sum 1; empty where it was not recorded or is not defined.

    A part that a model does not have is left out: the caption of a photo without one, the references of a model without
    retrieval.
    """
    attention = result.attention
    if attention is None or not math.isfinite(attention.photo[rank]):
        return []
    shares = {
        "references": float(attention.references[rank].sum()),
        "photo": float(attention.photo[rank]),
        "text": float(attention.text[rank]),
        "null": float(attention.null[rank]),
    }
    return [
        AttentionPart(key, _LABELS[key], share)
        for key, share in shares.items()
        if key == "photo" or share > 0
    ]


def why_no_parts(result: "CropResult") -> str:
    """What to say in place of attention parts, where there are none."""
    return NOT_RECORDED if result.attention is None else UNTOUCHED


def percent(share: float) -> str:
    """A share as text, e.g. "4.2 %"."""
    if not math.isfinite(share):
        return "–"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %"


def share_scale(shares: Sequence[float]) -> float:
    """The share that a full bar stands for: the least of 1, 2, 5, 10, 20, 50 and 100 % that no share exceeds."""
    largest = max((share for share in shares if math.isfinite(share)), default=0.0)
    return next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if largest <= step), 1.0)


def similarity_scale(similarities: Sequence[float]) -> tuple[float, float]:
    """What an empty and a full bar stand for: 0 and 1, or further out where similarities lie outside.

    Similarities that are all below 0 are negative distances; a full bar is then a distance of 0.
    """
    low, high = min([0.0, *similarities]), max([0.0, *similarities])
    return low, 0.0 if low < 0 == high else max(1.0, high)


def crop_words(box: np.ndarray) -> tuple[str, str]:
    """Size and place of a crop in words: ("1200 × 900", "(30, 0)")."""
    left, top, right, bottom = (round(float(edge)) for edge in box)
    return f"{right - left} × {bottom - top}", f"({left}, {top})"


def name_of(result: "CropResult", root: str | os.PathLike | None = None) -> str:
    """A photo's name: its place below ``root`` where it lies there, else the name of its file."""
    if root is not None:
        relative = os.path.relpath(result.path, root)
        if not relative.startswith(os.pardir):
            return relative
    return os.path.basename(result.path) or result.path

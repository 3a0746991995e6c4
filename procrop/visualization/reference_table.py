"""The references of a photo as a table of a page: thumbnails, similarity and shares of attention as bars."""

import math
from typing import TYPE_CHECKING

from PIL import Image

from procrop.visualization.explanation import (
    ExplainedReference,
    explained_references,
    percent,
    share_scale,
    similarity_scale,
)
from procrop.visualization.html_page import picture_tag, safe_text
from procrop.visualization.thumbnails import read_thumbnail

if TYPE_CHECKING:
    from procrop.inference import CropResult

_THUMBNAIL = (120, 90)


def reference_table(result: "CropResult") -> str:
    """A ``<table>``: a row per reference, a column for the similarity and one for the attention of each crop.

    All attention bars have one scale, named in the table's caption, so that they can be compared across crops.
    """
    references = explained_references(result)
    if not references:
        return '<p class="grey">no references</p>'
    crops = range(len(result.boxes) if result.attention is not None else 0)
    low, high = similarity_scale([reference.similarity for reference in references])
    scale = share_scale([float(reference.shares[rank]) for reference in references for rank in crops])
    caption = f"references; a full bar is a similarity of {high:g}"
    caption += f", an empty one {low:.3g}" if low else ""
    caption += f", and {100 * scale:g} % of a crop's attention" if crops else ""
    heads = ["similarity", *(_attention_head(rank, len(crops)) for rank in crops)]
    titles = "".join(f'<th scope="col">{head}</th>' for head in heads)
    rows = "".join(_row(reference, heads, (low, high), scale) for reference in references)
    return (
        f'<table><caption>{caption}</caption><thead><tr><th scope="col"><span class="grey">photo</span></th>'
        f'<th scope="col">reference</th>{titles}</tr></thead><tbody>\n{rows}</tbody></table>'
    )


def _attention_head(rank: int, crops: int) -> str:
    return "share of attention" if crops == 1 else f"attention of crop {rank + 1}"


def _row(
    reference: ExplainedReference, heads: list[str], similarities: tuple[float, float], scale: float
) -> str:
    thumbnail = read_thumbnail(reference.path, _THUMBNAIL)
    name = safe_text(reference.name)
    picture = '<div class="gone">file is gone</div>'
    if thumbnail is not None:
        picture = picture_tag(Image.fromarray(thumbnail), f"reference {name}", more='loading="lazy" ')
    times = f'<span class="times">counts {reference.copies} times</span>' if reference.copies > 1 else ""
    credit = f'<span class="times">{safe_text(reference.credit)}</span>' if reference.credit else ""
    low, high = similarities
    bars = [bar((reference.similarity - low) / (high - low), f"{reference.similarity:.3f}", "photo")]
    for share in () if reference.shares is None else reference.shares:
        bars.append(bar(float(share) / scale, percent(float(share)), "references"))
    cells = "".join(f'<td data-label="{head}">{bar}</td>' for head, bar in zip(heads, bars, strict=True))
    return f'<tr><td class="thumb">{picture}</td><th scope="row">{name}{credit}{times}</th>{cells}</tr>\n'


def bar(length: float, text: str, kind: str) -> str:
    """A bar with a number beside it, as HTML.

    Args:
        length: share of the track that is filled; kept within [0, 1].
        text: the number.
        kind: class of the filling, "photo" or "references".
    """
    width = 100 * min(max(length, 0.0), 1.0) if math.isfinite(length) else 0.0
    return (
        f'<span class="bar"><span class="track" aria-hidden="true"><span class="fill {kind}" style="width: '
        f'{width:.2f}%"></span></span><span class="value">{text}</span></span>'
    )

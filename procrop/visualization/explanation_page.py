"""A report on why photos were cropped so: one HTML file that needs nothing else, and no scripts."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from procrop.io import atomic_write
from procrop.visualization.crop_overlay import cut_crop, draw_overlay, rank_colour, scale_to_fit
from procrop.visualization.explanation import (
    AttentionPart,
    attention_parts,
    check_explainable,
    crop_words,
    name_of,
    percent,
    why_no_parts,
)
from procrop.visualization.explanation_style import style_sheet
from procrop.visualization.html_page import picture_tag, safe_text
from procrop.visualization.reference_table import reference_table

if TYPE_CHECKING:
    from procrop.inference import CropResult

_PHOTO, _CROP = (760, 560), (420, 420)  # pixels; some 250 kB a photo with three crops and ten references
_LAZY = 'loading="lazy" decoding="async" '
_OPEN = 40  # up to so many photos, the list of them is open
# nothing may be fetched, whatever a name or a caption holds
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body>
<a class="skip" href="#photos">to the photos</a>
<header id="top"><h1>{title}</h1>
<p class="grey">{count}. The share of attention says how much a crop looked at a reference, directly and through what
the photo read out of it: the mean over layers and heads. It does not say what the crop would be without it.</p>
{note}</header>
"""


def write_explanation_page(
    results: Iterable["CropResult"],
    path: str | os.PathLike,
    title: str = "Why these crops",
    note: str = "",
    root: str | os.PathLike | None = None,
    names: Iterable[str] = (),
) -> int:
    """Write the report.

    Each photo has a section with its crops, where the attention of each went, and its references with similarity and
    share. A rejected photo has its reason. Results are taken one by one, so the report may be larger than memory; the
    files of their references are read.

    Args:
        results: what the cropper said, with ``image``; ``attention`` is shown where a result has one.
        path: the .html file; replaced when all results are in it.
        title: heading.
        note: a line under it, why no attention is shown for instance.
        root: folder that the photos' names are given below; without it they are names of files.
        names: what to call the results instead, in their order, where one photo has several.

    Returns:
        How many results there were, rejected ones included.

    Raises:
        ValueError: a result that is no rejection carries no photo.
    """
    listed: list[tuple[str, bool]] = []
    photos, given = set(), iter(names)
    with atomic_write(path, "w") as file, tempfile.TemporaryFile("w+", encoding="utf-8") as body:
        for number, result in enumerate(results, start=1):
            name = next(given, None) or name_of(result, root)
            photos.add(result.path)
            listed.append((name, result.rejected is not None))
            body.write(_rejected(result, name, number) if result.rejected else _article(result, name, number))
        said = f"<p>{safe_text(note)}</p>" if note else ""
        head = dict(title=safe_text(title), style=style_sheet(), count=_count(listed, len(photos)), note=said)
        file.write(_HEAD.format(**head) + _contents(listed) + '<main id="photos">\n')
        body.seek(0)
        shutil.copyfileobj(body, file)
        file.write("</main></body></html>\n")
    return len(listed)


def _count(names: list[tuple[str, bool]], photos: int) -> str:
    rejected = sum(gone for _, gone in names)
    text = f"{photos} photo{'s' * (photos != 1)}"
    if photos < len(names):
        text += f", {len(names)} sets of crops"
    return text + (f", {rejected} of them rejected" if rejected else "")


def _contents(names: list[tuple[str, bool]]) -> str:
    if len(names) < 2:
        return ""
    items = [
        f'<li><a href="#photo-{number}">{safe_text(name)}</a>'
        + (' <span class="alarm">rejected</span>' if gone else "")
        + "</li>\n"
        for number, (name, gone) in enumerate(names, start=1)
    ]
    opened = " open" if len(names) <= _OPEN else ""
    return (
        f'<nav aria-label="photos"><details{opened}><summary>contents</summary>'
        f"<ol>\n{''.join(items)}</ol></details></nav>\n"
    )


def _heading(name: str, number: int, detail: str) -> str:
    return (
        f'<article id="photo-{number}" aria-labelledby="name-{number}"><div class="head">'
        f'<h2 id="name-{number}">{safe_text(name)}</h2><span class="grey">{detail}</span>'
        f'<a class="up grey" href="#top">to the top</a></div>\n'
    )


def _rejected(result: "CropResult", name: str, number: int) -> str:
    reason = safe_text(f"rejected: {result.rejected}")
    return f'{_heading(name, number, "")}<p class="alarm">{reason}</p></article>\n'


def _article(result: "CropResult", name: str, number: int) -> str:
    check_explainable(result)
    height, width = result.image.shape[:2]
    parts = [_heading(name, number, f"{width} × {height}")]
    if result.caption is not None:
        source = safe_text(result.caption_source or "")
        parts.append(f'<p><span class="grey">caption ({source}):</span> {safe_text(result.caption)}</p>')
    parts += [f'<p class="grey">{safe_text(note)}</p>' for note in result.notes]
    parts.append(f'<div class="pictures">{_photo_figure(result, name)}')
    parts += [_crop_figure(result, rank, name) for rank in range(len(result.boxes))]
    parts.append(f"</div>\n{reference_table(result)}</article>\n")
    return "".join(parts)


def _photo_figure(result: "CropResult", name: str) -> str:
    height, width = result.image.shape[:2]
    room = min(_PHOTO[0], width), min(_PHOTO[1], height)  # a small photo is not blown up
    drawn = draw_overlay(result.image, result.boxes, result.scores, room=room)
    count = len(result.boxes)
    alt = safe_text(f"{name} with the frame{'s' * (count != 1)} of {count} crop{'s' * (count != 1)}")
    said = '<figcaption class="grey">the photo</figcaption>'
    return f'<figure class="whole">{picture_tag(drawn, alt, more=_LAZY)}{said}</figure>\n'


def _crop_figure(result: "CropResult", rank: int, name: str) -> str:
    crop = cut_crop(result.image, result.boxes[rank])
    picture = scale_to_fit(crop, (min(_CROP[0], crop.shape[1]), min(_CROP[1], crop.shape[0])))
    size, place = crop_words(result.boxes[rank])
    words = f"crop {rank + 1}, score {result.scores[rank]:.3f}"
    alt = safe_text(f"crop {rank + 1} of {name}: {size} pixels at {place}")
    colour = "rgb({}, {}, {})".format(*rank_colour(rank))
    return (
        f'<figure>{picture_tag(picture, alt, more=_LAZY)}<figcaption><span class="rank" style="background: {colour}">'
        f'</span><b>{words}</b> <span class="grey place">{size} at {place}</span>'
        f"{_parts(attention_parts(result, rank), why_no_parts(result))}</figcaption></figure>\n"
    )


def _parts(parts: list[AttentionPart], otherwise: str) -> str:
    """Where a crop's attention went: one bar of all parts, and a line for each."""
    if not parts:
        return f'<span class="grey place">attention {safe_text(otherwise)}</span>'
    # the list says the same in words, so the bar is nothing to be read out
    bars = "".join(f'<span class="{part.key}" style="width: {_css(part.share)}"></span>' for part in parts)
    lines = "".join(
        f'<li><span class="swatch {part.key}"></span>{part.label}<span class="share">{percent(part.share)}</span></li>'
        for part in parts
    )
    return (
        f'<div class="stack" aria-hidden="true">{bars}</div><ul class="parts" aria-label="where its attention went">'
        f"{lines}</ul>"
    )


def _css(share: float) -> str:
    return f"{100 * float(np.clip(share, 0, 1)):.3f}%"

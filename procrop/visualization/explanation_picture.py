"""One picture of why a photo was cropped so: the crop, the references beside it, and where its attention went."""

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from procrop.visualization.caption_strip import caption_strip
from procrop.visualization.crop_overlay import cut_crop, draw_crops, rank_colour, scale_to_fit
from procrop.visualization.explanation import (
    AttentionPart,
    ExplainedReference,
    attention_parts,
    check_explainable,
    crop_words,
    explained_references,
    name_of,
    percent,
    share_scale,
    similarity_scale,
    why_no_parts,
)
from procrop.visualization.fonts import fit_text, load_font
from procrop.visualization.paged_sheet import paste_photo
from procrop.visualization.palette import ABSENT, GREY, INK, LINE, PAPER, PARTS
from procrop.visualization.thumbnails import read_thumbnail

if TYPE_CHECKING:
    from procrop.inference import CropResult

WIDTH, MARGIN = 1240, 32
_LEFT = 440  # width of photo, crop and parts
_PHOTO, _CROP = (_LEFT, 330), (_LEFT, 300)
_LABEL, _PART = 34, 26
_TABLE = MARGIN + _LEFT + 40  # where the references begin
_THUMBNAIL, _ROW = (108, 72), 90
_BARS = (_THUMBNAIL[0] + 16, _THUMBNAIL[0] + 16 + 300)  # where similarity and attention begin in a row
BAR = (190, 14)  # length of a full bar, height
_MOST = 12  # references shown one by one


def draw_explanation(
    result: "CropResult", rank: int = 0, note: str = "", name: str | None = None
) -> Image.Image:
    """Draw a crop with everything that it was made after.

    Left, the photo with the frames of all crops, the crop itself, and where its attention went. Right, the references
    with their similarity to the photo and their share of the crop's attention. The files of the references are read.

    Args:
        result: what the cropper said; its ``image`` is needed, its ``attention`` is shown where it has one.
        rank: which crop, from 0.
        note: a line of your own in the header, why no attention is shown for instance.
        name: what to call the photo; by default as its file is called.

    Returns:
        An RGB image of 1240 pixels' width, as high as it needs to be.

    Raises:
        ValueError: the result is a rejection, carries no photo, or has no crop of this rank.
    """
    check_explainable(result)
    if not 0 <= rank < len(result.boxes):
        raise ValueError(f"{result.path}: has {len(result.boxes)} crops, so there is none of rank {rank}")
    header, left = _draw_header(result, name or name_of(result), note), _draw_left(result, rank)
    right = _draw_table(explained_references(result), rank)
    canvas = Image.new("RGB", (WIDTH, header.height + max(left.height, right.height) + MARGIN), PAPER)
    canvas.paste(header, (0, 0))
    canvas.paste(left, (MARGIN, header.height))
    canvas.paste(right, (_TABLE, header.height))
    return canvas


def _draw_header(result: "CropResult", name: str, note: str) -> Image.Image:
    room = WIDTH - 2 * MARGIN
    said = None
    if result.caption is not None:
        said = caption_strip(result.caption, result.caption_source or "", room)
    canvas = Image.new("RGB", (WIDTH, 72 + (0 if said is None else said.height + 14)), PAPER)
    draw, bold, font = ImageDraw.Draw(canvas), load_font(20, bold=True), load_font(14)
    detail = f"{result.image.shape[1]} × {result.image.shape[0]}"
    detail = fit_text(" · ".join([detail, note] if note else [detail]), font, room * 0.6)
    title = fit_text(name, bold, room - font.getlength(detail) - 18)
    draw.text((MARGIN, 34), title, INK, bold, anchor="lm")
    draw.text((MARGIN + bold.getlength(title) + 18, 36), detail, GREY, font, anchor="lm")
    if said is not None:
        canvas.paste(said, (MARGIN, 62))
    return canvas


def _draw_left(result: "CropResult", rank: int) -> Image.Image:
    """Photo, crop and parts, one below the other."""
    photo = Image.fromarray(draw_crops(result.image, result.boxes, result.scores, _PHOTO))
    crop = scale_to_fit(cut_crop(result.image, result.boxes[rank]), _CROP)
    parts = attention_parts(result, rank)
    beside = photo.width + 18 + crop.width <= _LEFT  # two upright pictures
    place = (photo.width + 18, 0) if beside else (0, photo.height + 18)
    top = max(photo.height, place[1] + crop.height)
    canvas = Image.new("RGB", (_LEFT, top + _LABEL + 44 + _PART * max(1, len(parts))), PAPER)
    canvas.paste(photo, (0, 0))
    canvas.paste(crop, place)
    draw, bold, font = ImageDraw.Draw(canvas), load_font(14, bold=True), load_font(14)
    middle = top + _LABEL // 2
    draw.rectangle((0, middle - 6, 12, middle + 6), fill=rank_colour(rank))
    size, place = crop_words(result.boxes[rank])
    words = f"crop {rank + 1}, score {result.scores[rank]:.3f}"
    draw.text((20, middle), words, INK, bold, anchor="lm")
    after = 20 + bold.getlength(words) + 12
    where = fit_text(f"{size} at {place}", font, _LEFT - after)
    draw.text((after, middle), where, GREY, font, anchor="lm")
    _draw_parts(draw, parts, why_no_parts(result), top + _LABEL)
    return canvas


def _draw_parts(draw: ImageDraw.ImageDraw, parts: list[AttentionPart], otherwise: str, top: int) -> None:
    """One bar of all parts, and a line for each."""
    font, bold = load_font(14), load_font(14, bold=True)
    draw.text((0, top + 10), "where its attention went", GREY, font, anchor="lm")
    top += 26
    if not parts:
        draw.text((0, top + 10), otherwise, INK, font, anchor="lm")
        return
    place, edge = 0.0, 0
    for part in parts:
        place += part.share * _LEFT
        if round(place) > edge:
            draw.rectangle((edge, top, round(place) - 1, top + BAR[1] - 1), fill=PARTS[part.key])
        edge = round(place)
    for number, part in enumerate(parts):
        middle = top + BAR[1] + 8 + _PART * number + _PART // 2
        draw.rectangle((0, middle - 6, 12, middle + 6), fill=PARTS[part.key])
        draw.text((20, middle), part.label, INK, font, anchor="lm")
        draw.text((_LEFT, middle), percent(part.share), INK, bold, anchor="rm")


def _draw_table(references: list[ExplainedReference], rank: int) -> Image.Image:
    """The references with two bars each, under the scale of the bars."""
    shown, more = references[:_MOST], references[_MOST:]
    height = 40 + _ROW * len(shown) + (_PART if more or not shown else 0)
    canvas = Image.new("RGB", (WIDTH - MARGIN - _TABLE, height), PAPER)
    draw, font = ImageDraw.Draw(canvas), load_font(14)
    if not shown:
        draw.text((0, 12), "no references", GREY, font, anchor="lm")
        return canvas
    shares = [float(reference.shares[rank]) for reference in references if reference.shares is not None]
    scales = similarity_scale([reference.similarity for reference in references]), (0.0, share_scale(shares))
    low, high = scales[0]
    heads = (f"similarity, {low:.3g} to {high:g}", f"share of attention, 0 to {100 * scales[1][1]:g} %")
    draw.text((0, 12), "reference", GREY, font, anchor="lm")
    for left, head in zip(_BARS, heads if shares else heads[:1], strict=False):
        draw.text((left, 12), head, GREY, font, anchor="lm")
    for number, reference in enumerate(shown):
        _draw_reference(canvas, draw, reference, rank, 30 + _ROW * number, scales)
    if more:
        text = f"and {len(more)} more"
        if shares:
            text += (
                f", share of attention {percent(sum(float(reference.shares[rank]) for reference in more))}"
            )
        draw.text((0, 40 + _ROW * len(shown) + 8), text, GREY, font, anchor="lm")
    return canvas


def _draw_reference(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    reference: ExplainedReference,
    rank: int,
    top: int,
    scales: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    draw.line((0, top, canvas.width, top), LINE)
    paste_photo(canvas, read_thumbnail(reference.path, _THUMBNAIL), (0, top + 9), _THUMBNAIL)
    font, bold = load_font(14), load_font(14, bold=True)
    left = _BARS[0]
    times = f"counts {reference.copies} times" if reference.copies > 1 else ""
    name = fit_text(reference.name, bold, canvas.width - left - font.getlength(times) - 12)
    upper = top + (20 if reference.credit else 26)
    draw.text((left, upper), name, INK, bold, anchor="lm")
    draw.text((canvas.width, upper), times, GREY, font, anchor="rm")
    if reference.credit:
        small = load_font(12)
        credit = fit_text(reference.credit, small, canvas.width - left)
        draw.text((left, top + 39), credit, GREY, small, anchor="lm")
    bars = [(reference.similarity, f"{reference.similarity:.3f}", PARTS["photo"])]
    if reference.shares is not None:
        share = float(reference.shares[rank])
        bars.append((share, percent(share), PARTS["references"]))
    middle = top + (64 if reference.credit else 58)
    for (value, text, colour), left, (low, high) in zip(bars, _BARS, scales, strict=False):
        upper, lower = middle - BAR[1] // 2, middle + BAR[1] // 2 - 1
        draw.rectangle((left, upper, left + BAR[0] - 1, lower), fill=ABSENT)
        length = round(BAR[0] * (value - low) / (high - low)) if value == value else 0  # NaN: no bar
        if length > 0:
            draw.rectangle((left, upper, left + length - 1, lower), fill=colour)
        draw.text((left + BAR[0] + 10, middle), text, INK, font, anchor="lm")

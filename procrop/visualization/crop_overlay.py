"""Crops drawn over a photo, and cut out of it."""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

from procrop.visualization.caption_strip import caption_strip
from procrop.visualization.fonts import load_font

# told apart by colour-blind readers too, and seen on dark and on bright photos (each line has a white rim)
_COLOURS = ((213, 60, 30), (0, 92, 175), (0, 138, 98), (200, 120, 0), (140, 70, 160), (60, 60, 60))


def rank_colour(rank: int) -> tuple[int, int, int]:
    """RGB of the crop of a rank, counted from 0; six colours that repeat."""
    return _COLOURS[rank % len(_COLOURS)]


def cut_crop(photo: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """Cut a crop out of a photo.

    The edges are rounded to whole pixels and kept inside the photo; at least one pixel remains on each axis.

    Args:
        photo: (H, W, 3) uint8.
        box: (4,) xyxy in pixels of that photo.

    Returns:
        (h, w, 3) uint8, a view of ``photo``.

    Raises:
        ValueError: If the box is not made of four finite numbers.
    """
    left, top, right, bottom = whole_pixels(box, photo.shape[1], photo.shape[0])
    return photo[top:bottom, left:right]


def whole_pixels(box: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """The box that is cut out for ``box``: edges in whole pixels of a photo of this size, with an area.

    Raises:
        ValueError: If the box is not made of four finite numbers.
    """
    values = np.asarray(box, dtype=np.float64)
    if values.shape != (4,) or not np.isfinite(values).all():
        raise ValueError(f"a crop is four finite numbers x1 y1 x2 y2 in pixels, got {box}")
    left, top, right, bottom = np.rint(values).astype(int)
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height)


def fit_size(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """Largest (width, height) of ``size``'s shape within ``room``, at least 1 × 1."""
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, min(room[0], round(size[0] * scale))), max(1, min(room[1], round(size[1] * scale)))


def scale_to_fit(photo: np.ndarray, room: tuple[int, int]) -> Image.Image:
    """Scale a (H, W, 3) uint8 photo to the largest size within ``room`` (width, height), shape kept."""
    image = Image.fromarray(np.ascontiguousarray(photo))
    size = fit_size(image.size, room)
    # a first reduction by whole factors makes large photos quick and costs nothing that can be seen (46 dB)
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=1.5)


def draw_crops(
    photo: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray | None = None,
    room: tuple[int, int] | None = None,
    subject: np.ndarray | None = None,
    labels: bool = True,
    caption: str | None = None,
    caption_source: str = "",
) -> np.ndarray:
    """Draw crops as coloured frames with rank and score, the best one on top.

    Args:
        photo: (H, W, 3) uint8 RGB.
        boxes: (n, 4) xyxy in pixels of ``photo``, best first.
        scores: (n,) scores to write beside the ranks, or None.
        room: (width, height) in pixels to scale the photo into before drawing, so that lines and text stay sharp;
            None keeps the photo's size.
        subject: (4,) xyxy in pixels of ``photo``: the box of what the crops are for, drawn dashed; or None.
        labels: whether ranks and scores are written at all.
        caption: what is said of the photo, written into a strip below it; "" writes that there is no caption.
        caption_source: "given" or "generated".

    Returns:
        (h, w, 3) uint8 RGB, higher by the strip where there is one; ``photo`` itself is left as it was.
    """
    image = scale_to_fit(photo, room) if room else Image.fromarray(photo)
    boxes = _boxes_in(image, photo, boxes)
    unit = _unit(image)
    draw = ImageDraw.Draw(image)
    if subject is not None:
        _draw_dashed(draw, whole_pixels(_boxes_in(image, photo, subject)[0], image.width, image.height), unit)
    for rank in range(len(boxes) - 1, -1, -1):
        frame = whole_pixels(boxes[rank], image.width, image.height)
        _draw_frame(draw, frame, rank_colour(rank), unit)
    taken: list[tuple[int, int, int, int]] = []
    for rank, box in enumerate(boxes if labels else ()):
        text = str(rank + 1) if scores is None else f"{rank + 1}  {scores[rank]:.2f}"
        frame = whole_pixels(box, image.width, image.height)
        _draw_label(draw, frame, text, rank_colour(rank), unit, taken, image.size)
    if caption is None:
        return np.asarray(image)
    strip = caption_strip(caption, caption_source, image.width, round(13 * unit), round(4 * unit))
    return np.concatenate([np.asarray(image), np.asarray(strip)])


def draw_overlay(
    photo: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray | None = None,
    focal_points: np.ndarray | None = None,
    room: tuple[int, int] | None = None,
    subject: np.ndarray | None = None,
    caption: str | None = None,
    caption_source: str = "",
) -> Image.Image:
    """Draw what a cropper answered over the photo: :func:`draw_crops`, and the crops' focal points.

    Args:
        photo, boxes, scores, room, subject, caption, caption_source: as for :func:`draw_crops`.
        focal_points: (n, 2) x, y in pixels of ``photo``, drawn as rings in the colours of their crops, or None.

    Returns:
        An RGB image.
    """
    drawn = draw_crops(photo, boxes, scores, room, subject, caption=caption, caption_source=caption_source)
    image = Image.fromarray(drawn)
    points = np.zeros((0, 2)) if focal_points is None else np.asarray(focal_points, dtype=np.float64)
    # a strip with the caption adds to the height alone
    factor = image.width / photo.shape[1]
    draw, unit = ImageDraw.Draw(image), _unit(image)
    for rank in range(len(points) - 1, -1, -1):
        x, y = points[rank] * factor
        for radius, colour, width in ((7, "white", 4), (6, rank_colour(rank), 2)):
            edge = radius * unit
            draw.ellipse((x - edge, y - edge, x + edge, y + edge), outline=colour, width=round(width * unit))
    return image


def outline_boxes(
    image: Image.Image, photo: np.ndarray, boxes: np.ndarray, colour: tuple[int, int, int], thin: bool = False
) -> None:
    """Draw frames of one colour into a picture of a photo, the first one on top.

    Args:
        image: the photo, at any size; drawn into.
        photo: (H, W, 3) the photo itself, whose pixels the boxes are in.
        boxes: (n, 4) xyxy.
        colour: RGB.
        thin: draw them without a white rim, for many at a time.
    """
    draw, unit = ImageDraw.Draw(image), _unit(image)
    for box in _boxes_in(image, photo, boxes)[::-1]:
        frame = whole_pixels(box, image.width, image.height)
        if thin:
            draw.rectangle((*frame[:2], frame[2] - 1, frame[3] - 1), outline=colour, width=round(1.5 * unit))
        else:
            _draw_frame(draw, frame, colour, unit)


def shade_outside(image: Image.Image, photo: np.ndarray, box: Sequence[float], share: float = 0.55) -> None:
    """Darken what a crop leaves out, in a picture of a photo; arguments as for :func:`outline_boxes`."""
    left, top, right, bottom = whole_pixels(_boxes_in(image, photo, box)[0], image.width, image.height)
    inside = image.crop((left, top, right, bottom))
    image.paste(Image.blend(image, Image.new("RGB", image.size), share))
    image.paste(inside, (left, top))


def _boxes_in(image: Image.Image, photo: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(n, 4) boxes from pixels of the photo to those of a picture of it."""
    factor = np.array([image.width / photo.shape[1], image.height / photo.shape[0]] * 2)
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * factor


def _unit(image: Image.Image) -> float:
    """What lines and letters are multiplied by."""
    return max(1.0, min(image.size) / 260)


def _draw_frame(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: tuple[int, int, int], unit: float
) -> None:
    left, top, right, bottom = box
    line, rim = round(2 * unit), max(1, round(unit))
    draw.rectangle((left, top, right - 1, bottom - 1), outline="white", width=line + 2 * rim)
    if right - left > 2 * rim and bottom - top > 2 * rim:
        inner = (left + rim, top + rim, right - 1 - rim, bottom - 1 - rim)
        draw.rectangle(inner, outline=colour, width=line)


def _draw_dashed(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], unit: float) -> None:
    """A frame of black and white dashes, which is seen on every photo and is the colour of no rank."""
    left, top, right, bottom = box[0], box[1], box[2] - 1, box[3] - 1
    line, dash = max(2, round(2 * unit)), max(4, round(6 * unit))
    draw.rectangle((left, top, right, bottom), outline="white", width=line)
    for start in range(left, right, 2 * dash):
        for y in (top, bottom - line + 1):
            draw.rectangle((start, y, min(start + dash, right), y + line - 1), fill="black")
    for start in range(top, bottom, 2 * dash):
        for x in (left, right - line + 1):
            draw.rectangle((x, start, x + line - 1, min(start + dash, bottom)), fill="black")


def _draw_label(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    text: str,
    colour: tuple[int, int, int],
    unit: float,
    taken: list[tuple[int, int, int, int]],
    size: tuple[int, int],
) -> None:
    """Write a label at the first place of the crop where it covers no earlier label, else at the last one tried; a
    picture that is smaller than the label gets none."""
    font = load_font(round(13 * unit), bold=True)
    pad = round(4 * unit)
    width, height = round(font.getlength(text)) + 2 * pad, round(16 * unit) + pad
    if width > size[0] or height > size[1]:
        return
    place = (0, 0, 0, 0)
    for x, y in _label_places(box, width, height):
        x, y = max(0, min(x, size[0] - width)), max(0, min(y, size[1] - height))
        place = (x, y, x + width, y + height)
        if not any(_overlap(place, other) for other in taken):
            break
    taken.append(place)
    draw.rectangle((place[0], place[1], place[2] - 1, place[3] - 1), fill=colour, outline="white")
    draw.text(((place[0] + place[2]) / 2, (place[1] + place[3]) / 2), text, "white", font, anchor="mm")


def _label_places(box: tuple[int, int, int, int], width: int, height: int) -> Iterator[tuple[int, int]]:
    """Upper left corners of a label: the corners inside the crop, just outside of it, then down its sides."""
    left, top, right, bottom = box
    inside, outside = (top, bottom - height), (top - height, bottom)
    yield from ((x, y) for y in (*inside, *outside) for x in (left, right - width))
    yield from ((x, y) for y in range(top, bottom - height, height) for x in (left, right - width))


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

"""A sheet that shows, row by row, a photo with its best crops, the crops themselves and the references used."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from procrop.visualization.caption_strip import caption_strip, labelled_strip
from procrop.visualization.crop_overlay import cut_crop, draw_crops, rank_colour, scale_to_fit
from procrop.visualization.fonts import load_font
from procrop.visualization.paged_sheet import (
    CAPTION,
    GAP,
    GREY,
    HEADER,
    INK,
    MARGIN,
    TITLE,
    PagedSheet,
    paste_photo,
)

_HEIGHT = 240  # of every picture in a row; references share it in two lines
_PHOTO_WIDTH, _CROP_WIDTH, _REFERENCE_WIDTH = 400, 300, 132
_REFERENCE_COLUMNS, _REFERENCE_GAP = 3, 10
_MAX_CROPS, _MAX_REFERENCES = 5, 6
_REFERENCE_PITCH = (_HEIGHT + CAPTION) // 2
REFERENCE_ROOM = (_REFERENCE_WIDTH, _REFERENCE_PITCH - CAPTION)  # (width, height) in pixels of a reference
_CREDIT_LINES = 4
_BELOW_CAPTION = 6  # pixels between a photo's caption and the pictures


@dataclass
class SheetRow:
    """What one row shows.

    Attributes:
        title: name of the photo.
        photo: (H, W, 3) uint8 RGB; None for a photo that was rejected.
        boxes: (n, 4) crops, best first, xyxy in pixels of ``photo``.
        scores: (n,) their scores; None writes none.
        references: (thumbnail (h, w, 3) uint8 or None when its file is gone, similarity) of each, nearest first; a
            thumbnail is scaled into ``REFERENCE_ROOM``, and one that fits already costs nothing.
        note: a line in place of the pictures, why the photo was rejected; beside pictures, one behind the title.
        subject: (4,) xyxy of what the crops are for, or None.
        caption: what is said of the photo; "" writes that there is no caption, None writes nothing.
        caption_source: "given" or "generated".
        credits: title, author and licence of each reference, in their order, "" where they are not known.
    """

    title: str
    photo: np.ndarray | None = None
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    scores: np.ndarray | None = field(default_factory=lambda: np.zeros(0))
    references: Sequence[tuple[np.ndarray | None, float]] = ()
    note: str = ""
    subject: np.ndarray | None = None
    caption: str | None = None
    caption_source: str = ""
    credits: Sequence[str] = ()


class ContactSheet(PagedSheet):
    """Draws rows as they come and writes a page whenever one is full: ``sheet.png``, ``sheet_2.png``, …

    Use it as a context manager, or call :meth:`close` at the end. Pages are written to a temporary name first.

    Args:
        path: the first page, a .png or .jpg; later pages get ``_2``, ``_3``, … before the suffix.
        crops: crops per row; at most 5 are shown.
        references: whether the rows have a column of references (6 are shown of each).
        rows_per_page: rows of a full page.
        heading: title of every page.
        ordered: whether the crops of a row are in an order, so that the first ones are the best.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        crops: int = 3,
        references: bool = True,
        rows_per_page: int = 24,
        heading: str = "ProCrop",
        ordered: bool = True,
    ) -> None:
        super().__init__(path, rows_per_page, heading)
        self.crops = max(1, min(crops, _MAX_CROPS))
        self.references, self.ordered = references, ordered

    @property
    def width(self) -> int:
        width = 2 * MARGIN + _PHOTO_WIDTH + self.crops * (GAP + _CROP_WIDTH)
        return width + (2 * GAP + _reference_span() if self.references else 0)

    def add(self, row: SheetRow) -> None:
        """Draw a row; write the page if it is full."""
        self.add_row(self.draw(row))

    def draw(self, row: SheetRow) -> Image.Image:
        """Draw a row for :meth:`add_row`; several threads may draw at a time."""
        if row.photo is None:
            return self.note_row(row.title, f"rejected: {row.note}")
        return self._draw_row(row)

    def _crop_left(self, rank: int) -> int:
        return MARGIN + _PHOTO_WIDTH + GAP + rank * (_CROP_WIDTH + GAP)

    def _reference_left(self) -> int:
        return self._crop_left(self.crops) + GAP

    def _draw_row(self, row: SheetRow) -> Image.Image:
        size = row.note or f"{row.photo.shape[1]} × {row.photo.shape[0]}"
        said = None
        if row.caption is not None:
            said = caption_strip(row.caption, row.caption_source, self.width - 2 * MARGIN)
        extra = 0 if said is None else said.height + _BELOW_CAPTION
        height = TITLE + extra + _HEIGHT + CAPTION + 2 * GAP
        credit = self._credit_strip(row)
        below = 0 if credit is None else credit.height
        canvas, draw = self.blank_row(height + below, row.title, size)
        if credit is not None:
            canvas.paste(credit, (MARGIN, height - GAP))
        if said is not None:
            canvas.paste(said, (MARGIN, GAP + TITLE - _BELOW_CAPTION))
        top = GAP + TITLE + extra
        scores = None if row.scores is None else row.scores[: self.crops]
        room = (_PHOTO_WIDTH, _HEIGHT)
        shown = draw_crops(row.photo, row.boxes[: self.crops], scores, room, row.subject)
        canvas.paste(Image.fromarray(shown), (MARGIN, top))
        for rank, box in enumerate(row.boxes[: self.crops]):
            crop = scale_to_fit(cut_crop(row.photo, box), (_CROP_WIDTH, _HEIGHT))
            left = self._crop_left(rank)
            canvas.paste(crop, (left, top))
            score = None if scores is None else float(scores[rank])
            _draw_score(draw, (left, top + crop.height), rank, box, score)
        if self.references:
            self._draw_references(canvas, draw, row.references, top)
        return canvas

    def _credit_strip(self, row: SheetRow) -> Image.Image | None:
        """Whose the references are, numbered as they stand; None where nothing is known."""
        shown = list(row.credits[:_MAX_REFERENCES]) if self.references else []
        if not any(shown):
            return None
        text = "; ".join(f"{number}: {credit}" for number, credit in enumerate(shown, 1) if credit)
        return labelled_strip("references", text, self.width - 2 * MARGIN, size=12, lines=_CREDIT_LINES)

    def _draw_references(
        self,
        canvas: Image.Image,
        draw: ImageDraw.ImageDraw,
        references: Sequence[tuple[np.ndarray | None, float]],
        top: int,
    ) -> None:
        font = load_font(13)
        for number, (thumbnail, score) in enumerate(references[:_MAX_REFERENCES]):
            line, column = divmod(number, _REFERENCE_COLUMNS)
            left = self._reference_left() + column * (_REFERENCE_WIDTH + _REFERENCE_GAP)
            upper = top + line * _REFERENCE_PITCH
            _, height = paste_photo(canvas, thumbnail, (left, upper), REFERENCE_ROOM)
            draw.text((left, upper + height + 13), f"{score:.3f}", INK, font, anchor="lm")

    def draw_columns(self, draw: ImageDraw.ImageDraw) -> None:
        columns = [(MARGIN, "photo with its best crops" if self.ordered else "photo with crops, in no order")]
        columns += [(self._crop_left(rank), f"crop {rank + 1}") for rank in range(self.crops)]
        if self.references:
            columns.append((self._reference_left(), "references used, with similarity"))
        for left, text in columns:
            draw.text((left, HEADER - 18), text, GREY, load_font(14), anchor="lm")


def _reference_span() -> int:
    return _REFERENCE_COLUMNS * (_REFERENCE_WIDTH + _REFERENCE_GAP) - _REFERENCE_GAP


def _draw_score(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], rank: int, box: np.ndarray, score: float | None
) -> None:
    """Write a crop's score and size under it, behind a square in the colour of its frame."""
    left, middle = place[0], place[1] + 15
    draw.rectangle((left, middle - 6, left + 12, middle + 6), fill=rank_colour(rank))
    width, height = (round(float(side)) for side in (box[2] - box[0], box[3] - box[1]))
    bold, font = load_font(14, bold=True), load_font(14)
    left += 20
    if score is not None:
        draw.text((left, middle), f"{score:.3f}", INK, bold, anchor="lm")
        left += bold.getlength("0.000") + 12
    draw.text((left, middle), f"{width} × {height}", GREY, font, anchor="lm")

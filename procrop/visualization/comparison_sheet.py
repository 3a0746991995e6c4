"""A sheet that shows what several encoders retrieve: queries down, encoders across, the neighbours beside them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from procrop.visualization.fonts import fit_text, load_font
from procrop.visualization.paged_sheet import (
    CAPTION,
    GAP,
    GREY,
    HEADER,
    INK,
    LINE,
    MARGIN,
    TITLE,
    PagedSheet,
    paste_photo,
)

_SMALL = (129, 86)  # width, height of a neighbour; the first one and the query stand two lines high
_LARGE = (297, 2 * _SMALL[1] + CAPTION)
_COLUMN_GAP = 10
_BLOCK_GAP = 28  # on either side of the rule between two encoders
_SHARED = (0, 92, 175)
_MOST = 11  # neighbours shown of each encoder


@dataclass
class ShownNeighbour:
    """A neighbour of a query.

    Attributes:
        photo: (H, W, 3) uint8 RGB; None when its file is gone.
        score: its similarity to the query.
        shared: whether another encoder found it too.
    """

    photo: np.ndarray | None
    score: float
    shared: bool = False


@dataclass
class ComparisonRow:
    """What one query's row shows.

    Attributes:
        title: name of the query.
        photo: (H, W, 3) uint8 RGB; None for a query that was rejected.
        note: a line under the photo, or in place of the pictures, why it was rejected.
        neighbours: per encoder, in the sheet's order, its neighbours, nearest first.
        notes: per encoder a line under its neighbours.
    """

    title: str
    photo: np.ndarray | None = None
    note: str = ""
    neighbours: Sequence[Sequence[ShownNeighbour]] = ()
    notes: Sequence[str] = field(default_factory=tuple)


class ComparisonSheet(PagedSheet):
    """Draws a row per query and writes a page whenever one is full: ``sheet.png``, ``sheet_2.png``, …

    Use it as a context manager, or call :meth:`close` at the end. The nearest neighbour of each encoder is drawn
    large, the others in two lines beside it, row by row.

    Args:
        path: the first page, a .png or .jpg; later pages get ``_2``, ``_3``, … before the suffix.
        encoders: (name, detail) of each encoder, for the header.
        k: neighbours per encoder; at most 11 are shown.
        rows_per_page: rows of a full page.
        heading: title of every page.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        encoders: Sequence[tuple[str, str]],
        k: int = 5,
        rows_per_page: int = 12,
        heading: str = "What the encoders retrieve",
    ) -> None:
        super().__init__(path, rows_per_page, heading)
        self.encoders = list(encoders)
        self.shown = max(1, min(k, _MOST))

    @property
    def width(self) -> int:
        return self._block_left(len(self.encoders)) - 2 * _BLOCK_GAP + MARGIN

    @property
    def _block_width(self) -> int:
        return _LARGE[0] + self.shown // 2 * (_COLUMN_GAP + _SMALL[0])

    def _block_left(self, encoder: int) -> int:
        return MARGIN + _LARGE[0] + 2 * _BLOCK_GAP + encoder * (self._block_width + 2 * _BLOCK_GAP)

    def add(self, row: ComparisonRow) -> None:
        """Draw a row; write the page if it is full."""
        self.add_row(
            self.note_row(row.title, f"rejected: {row.note}") if row.photo is None else self._draw_row(row)
        )

    def _draw_row(self, row: ComparisonRow) -> Image.Image:
        size = f"{row.photo.shape[1]} × {row.photo.shape[0]}"
        canvas, draw = self.blank_row(TITLE + _LARGE[1] + 2 * CAPTION + 2 * GAP, row.title, size)
        top, font = GAP + TITLE, load_font(13)
        bottom = top + _LARGE[1] + CAPTION + CAPTION // 2
        paste_photo(canvas, row.photo, (MARGIN, top), _LARGE)
        draw.text((MARGIN, bottom), fit_text(row.note, font, _LARGE[0]), GREY, font, anchor="lm")
        for encoder, neighbours in enumerate(row.neighbours):
            left = self._block_left(encoder)
            draw.line((left - _BLOCK_GAP, top, left - _BLOCK_GAP, bottom + 6), LINE)
            for rank, neighbour in enumerate(neighbours[: self.shown]):
                self._draw_neighbour(canvas, draw, neighbour, rank, (left, top))
        for encoder, note in enumerate(row.notes):
            text = fit_text(note, font, self._block_width)
            draw.text((self._block_left(encoder), bottom), text, GREY, font, anchor="lm")
        return canvas

    def _draw_neighbour(
        self,
        canvas: Image.Image,
        draw: ImageDraw.ImageDraw,
        neighbour: ShownNeighbour,
        rank: int,
        corner: tuple[int, int],
    ) -> None:
        left, top = corner
        room = _LARGE
        if rank:
            line, column = divmod(rank - 1, self.shown // 2)
            room = _SMALL
            left += _LARGE[0] + _COLUMN_GAP + column * (_SMALL[0] + _COLUMN_GAP)
            top += line * (_SMALL[1] + CAPTION)
        _, height = paste_photo(canvas, neighbour.photo, (left, top), room)
        middle, bold, font = top + height + CAPTION // 2, load_font(13, bold=True), load_font(13)
        rank_text = f"{rank + 1}"
        draw.text((left, middle), rank_text, INK, bold, anchor="lm")
        place = left + bold.getlength(rank_text) + 8
        score = f"{neighbour.score:.3f}"
        draw.text((place, middle), score, GREY, font, anchor="lm")
        if neighbour.shared:
            _draw_mark(draw, place + font.getlength(score) + 12, middle)

    def draw_columns(self, draw: ImageDraw.ImageDraw) -> None:
        bold, font = load_font(16, bold=True), load_font(14)
        draw.text((MARGIN, HEADER - 18), "query", GREY, font, anchor="lm")
        for encoder, (name, detail) in enumerate(self.encoders):
            left = self._block_left(encoder)
            name = fit_text(name, bold, self._block_width)
            draw.text((left, HEADER - 18), name, INK, bold, anchor="lm")
            place = left + bold.getlength(name) + GAP
            room = self._block_width - (place - left)
            draw.text((place, HEADER - 17), fit_text(detail, font, max(room, 0)), GREY, font, anchor="lm")
        if len(self.encoders) > 1:
            legend = "also found by another encoder"
            left = self.width - MARGIN - font.getlength(legend)
            draw.text((left, 34), legend, GREY, font, anchor="lm")
            _draw_mark(draw, left - 12, 34)


def _draw_mark(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=_SHARED)

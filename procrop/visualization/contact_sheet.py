"""A sheet that shows, row by row, a photo with its best crops, the crops themselves and the references used."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image, ImageDraw

from procrop.io import atomic_write
from procrop.visualization.crop_overlay import cut_crop, draw_crops, rank_colour, scale_to_fit
from procrop.visualization.fonts import fit_text, load_font

_PAPER, _INK, _GREY, _LINE = (251, 251, 249), (27, 27, 27), (95, 99, 104), (221, 221, 217)
_ABSENT, _ALARM = (236, 236, 232), (168, 32, 20)
_MARGIN, _GAP, _TITLE, _CAPTION = 32, 18, 34, 26
_HEIGHT = 240  # of every picture in a row; references share it in two lines
_PHOTO_WIDTH, _CROP_WIDTH, _REFERENCE_WIDTH = 400, 300, 132
_REFERENCE_COLUMNS, _REFERENCE_GAP = 3, 10
_HEADER = 92
_MAX_CROPS, _MAX_REFERENCES = 5, 6


@dataclass
class SheetRow:
    """What one row shows.

    Attributes:
        title: name of the photo.
        photo: (H, W, 3) uint8 RGB; None for a photo that was rejected.
        boxes: (n, 4) crops, best first, xyxy in pixels of ``photo``.
        scores: (n,) their scores.
        references: (thumbnail (h, w, 3) uint8 or None when its file is gone, similarity) of each, nearest first.
        note: a line in place of the pictures, why the photo was rejected.
    """

    title: str
    photo: np.ndarray | None = None
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    references: Sequence[tuple[np.ndarray | None, float]] = ()
    note: str = ""


class ContactSheet:
    """Draws rows as they come and writes a page whenever one is full: ``sheet.png``, ``sheet_2.png``, …

    Use it as a context manager, or call :meth:`close` at the end. Pages are written to a temporary name first.

    Args:
        path: the first page, a .png or .jpg; later pages get ``_2``, ``_3``, … before the suffix.
        crops: crops per row; at most 5 are shown.
        references: whether the rows have a column of references (6 are shown of each).
        rows_per_page: rows of a full page.
        heading: title of every page.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        crops: int = 3,
        references: bool = True,
        rows_per_page: int = 24,
        heading: str = "ProCrop",
    ) -> None:
        if rows_per_page < 1:
            raise ValueError(f"a page needs at least one row, got rows_per_page={rows_per_page}")
        self.path = Path(path)
        self.crops = max(1, min(crops, _MAX_CROPS))
        self.references = references
        self.rows_per_page = rows_per_page
        self.heading = heading
        self.pages: list[Path] = []
        self._rows: list[Image.Image] = []

    @property
    def width(self) -> int:
        """Width of a page in pixels, the same for all its rows."""
        width = 2 * _MARGIN + _PHOTO_WIDTH + self.crops * (_GAP + _CROP_WIDTH)
        return width + (2 * _GAP + _reference_span() if self.references else 0)

    def add(self, row: SheetRow) -> None:
        """Draw a row; write the page if it is full."""
        self._rows.append(self._draw_note(row) if row.photo is None else self._draw_row(row))
        if len(self._rows) == self.rows_per_page:
            self._write_page()

    def close(self) -> list[Path]:
        """Write the last page and return the paths of all pages; a sheet without rows has none."""
        if self._rows:
            self._write_page()
        return self.pages

    def __enter__(self) -> "ContactSheet":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()  # on an error too: the rows that are done are worth having

    def _crop_left(self, rank: int) -> int:
        return _MARGIN + _PHOTO_WIDTH + _GAP + rank * (_CROP_WIDTH + _GAP)

    def _reference_left(self) -> int:
        return self._crop_left(self.crops) + _GAP

    def _draw_row(self, row: SheetRow) -> Image.Image:
        canvas, draw = self._blank_row(row, _TITLE + _HEIGHT + _CAPTION + 2 * _GAP)
        top = _GAP + _TITLE
        shown = draw_crops(
            row.photo, row.boxes[: self.crops], row.scores[: self.crops], (_PHOTO_WIDTH, _HEIGHT)
        )
        canvas.paste(Image.fromarray(shown), (_MARGIN, top))
        for rank, box in enumerate(row.boxes[: self.crops]):
            crop = scale_to_fit(cut_crop(row.photo, box), (_CROP_WIDTH, _HEIGHT))
            left = self._crop_left(rank)
            canvas.paste(crop, (left, top))
            _draw_caption(draw, (left, top + crop.height), rank, box, float(row.scores[rank]))
        if self.references:
            self._draw_references(canvas, draw, row.references, top)
        return canvas

    def _draw_references(
        self,
        canvas: Image.Image,
        draw: ImageDraw.ImageDraw,
        references: Sequence[tuple[np.ndarray | None, float]],
        top: int,
    ) -> None:
        font, pitch = load_font(13), (_HEIGHT + _CAPTION) // 2
        room = (_REFERENCE_WIDTH, pitch - _CAPTION)
        for number, (thumbnail, score) in enumerate(references[:_MAX_REFERENCES]):
            line, column = divmod(number, _REFERENCE_COLUMNS)
            left = self._reference_left() + column * (_REFERENCE_WIDTH + _REFERENCE_GAP)
            upper = top + line * pitch
            if thumbnail is None:
                draw.rectangle((left, upper, left + room[0] - 1, upper + room[1] - 1), fill=_ABSENT)
                middle = (left + room[0] / 2, upper + room[1] / 2)
                draw.text(middle, "file is gone", _GREY, font, anchor="mm")
                height = room[1]
            else:
                image = scale_to_fit(thumbnail, room)
                canvas.paste(image, (left, upper))
                height = image.height
            draw.text((left, upper + height + 13), f"{score:.3f}", _INK, font, anchor="lm")

    def _draw_note(self, row: SheetRow) -> Image.Image:
        canvas, draw = self._blank_row(row, _TITLE + _CAPTION + 2 * _GAP)
        font = load_font(15)
        note = fit_text(f"rejected: {row.note}", font, self.width - 2 * _MARGIN)
        draw.text((_MARGIN, _GAP + _TITLE + 6), note, _ALARM, font, anchor="lm")
        return canvas

    def _blank_row(self, row: SheetRow, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        """Make an empty row with its rule and its title."""
        canvas = Image.new("RGB", (self.width, height), _PAPER)
        draw = ImageDraw.Draw(canvas)
        draw.line((_MARGIN, 0, self.width - _MARGIN, 0), _LINE)
        font, small = load_font(17, bold=True), load_font(14)
        size = "" if row.photo is None else f"{row.photo.shape[1]} × {row.photo.shape[0]}"
        title = fit_text(row.title, font, self.width - 2 * _MARGIN - small.getlength(size) - _GAP)
        middle = _GAP + 8
        draw.text((_MARGIN, middle), title, _INK, font, anchor="lm")
        draw.text((_MARGIN + font.getlength(title) + _GAP, middle + 1), size, _GREY, small, anchor="lm")
        return canvas, draw

    def _draw_header(self, draw: ImageDraw.ImageDraw) -> None:
        number = len(self.pages) + 1
        title, font = load_font(24, bold=True), load_font(14)
        draw.text((_MARGIN, 34), fit_text(self.heading, title, self.width / 2), _INK, title, anchor="lm")
        if number > 1:
            draw.text((self.width - _MARGIN, 34), f"page {number}", _GREY, font, anchor="rm")
        columns = [(_MARGIN, "photo with its best crops")]
        columns += [(self._crop_left(rank), f"crop {rank + 1}") for rank in range(self.crops)]
        if self.references:
            columns.append((self._reference_left(), "references used, with similarity"))
        for left, text in columns:
            draw.text((left, _HEADER - 18), text, _GREY, font, anchor="lm")

    def _write_page(self) -> None:
        page = Image.new("RGB", (self.width, _HEADER + sum(row.height for row in self._rows)), _PAPER)
        self._draw_header(ImageDraw.Draw(page))
        top = _HEADER
        for row in self._rows:
            page.paste(row, (0, top))
            top += row.height
        number = len(self.pages) + 1
        name = self.path.name if number == 1 else f"{self.path.stem}_{number}{self.path.suffix}"
        path = self.path.with_name(name)
        kind = "JPEG" if path.suffix.lower() in (".jpg", ".jpeg") else "PNG"
        with atomic_write(path) as file:
            page.save(file, kind, quality=90)
        self.pages.append(path)
        self._rows = []


def _reference_span() -> int:
    return _REFERENCE_COLUMNS * (_REFERENCE_WIDTH + _REFERENCE_GAP) - _REFERENCE_GAP


def _draw_caption(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], rank: int, box: np.ndarray, score: float
) -> None:
    """Write a crop's score and size under it, behind a square in the colour of its frame."""
    left, middle = place[0], place[1] + 15
    draw.rectangle((left, middle - 6, left + 12, middle + 6), fill=rank_colour(rank))
    width, height = (round(float(side)) for side in (box[2] - box[0], box[3] - box[1]))
    bold, font = load_font(14, bold=True), load_font(14)
    draw.text((left + 20, middle), f"{score:.3f}", _INK, bold, anchor="lm")
    draw.text(
        (left + 20 + bold.getlength("0.000") + 12, middle), f"{width} × {height}", _GREY, font, anchor="lm"
    )

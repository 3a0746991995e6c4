"""A sheet that shows what several models crop: photos down, models across (the form of the paper's Figure 8)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from procrop.visualization.crop_overlay import (
    cut_crop,
    draw_crops,
    outline_boxes,
    rank_colour,
    scale_to_fit,
    shade_outside,
)
from procrop.visualization.fonts import fit_text, load_font
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

_WIDTH, _PHOTO_HEIGHT, _CROP_HEIGHT = 300, 210, 190  # of a column and of its two pictures
_COLUMN_GAP = 26
_CROP_GAP = 8
_ANNOTATED, _BEST, _SUBJECT = (60, 190, 90), (0, 92, 175), (213, 60, 30)
_MOST = 4  # crops shown of each model
_REFERENCE_ROWS, _REFERENCE_COLUMNS = 3, 2  # of the column of references
#: (width, height) in pixels that a reference is shown in, and how many are
REFERENCE_ROOM = (
    (_WIDTH - (_REFERENCE_COLUMNS - 1) * _CROP_GAP) // _REFERENCE_COLUMNS,
    (_PHOTO_HEIGHT + _CROP_HEIGHT + _CROP_GAP) // _REFERENCE_ROWS - _CROP_GAP,
)
REFERENCES_SHOWN = _REFERENCE_ROWS * _REFERENCE_COLUMNS


@dataclass
class ModelCrops:
    """What one model predicts for a photo.

    Attributes:
        boxes: (n, 4) crops, best first, xyxy in pixels of the photo; none if it has no prediction.
        note: a line under them.
    """

    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    note: str = ""


@dataclass
class ModelRow:
    """What one photo's row shows.

    Attributes:
        title: name of the photo.
        photo: (H, W, 3) uint8 RGB; None for a photo that was rejected.
        annotated: (m, 4) annotated crops.
        best: (4,) the annotated crop that is shown cut out.
        subject: (4,) box of the subject, or None.
        note: a line under the annotation, or in place of the pictures, why the photo was rejected.
        models: crops of each model in the sheet's order.
        references: (h, w, 3) uint8 RGB of the gallery photos the crops were made after; None for a file that is gone.
    """

    title: str
    photo: np.ndarray | None = None
    annotated: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    best: np.ndarray | None = None
    subject: np.ndarray | None = None
    note: str = ""
    models: Sequence[ModelCrops] = ()
    references: Sequence[np.ndarray | None] = ()


class ModelSheet(PagedSheet):
    """Draws a row per photo: annotation first, then each model's crops in the photo and cut out.

    With one crop per model, what it leaves out is darkened; with several, they are framed and numbered.

    Args:
        path: the first page, see :class:`PagedSheet`.
        models: their names, for the header.
        top: crops per model; at most 4 are shown.
        rows_per_page: rows of a full page.
        heading: title of every page.
        detail: a line beside it.
        references: heading of a last column with the first six references; None for no such column.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        models: Sequence[str],
        top: int = 1,
        rows_per_page: int = 12,
        heading: str = "What the models crop",
        detail: str = "",
        references: str | None = None,
    ) -> None:
        super().__init__(path, rows_per_page, heading)
        self.models, self.detail, self.references = list(models), detail, references
        self.top = max(1, min(top, _MOST))

    @property
    def width(self) -> int:
        columns = len(self.models) + 1 + (self.references is not None)
        return max(self._left(columns) - _COLUMN_GAP + MARGIN, 3 * _WIDTH)

    def _left(self, column: int) -> int:
        return MARGIN + column * (_WIDTH + _COLUMN_GAP)

    def add(self, row: ModelRow) -> None:
        """Draw a row; write the page if it is full."""
        self.add_row(
            self.note_row(row.title, f"rejected: {row.note}") if row.photo is None else self._draw_row(row)
        )

    def _draw_row(self, row: ModelRow) -> Image.Image:
        size = f"{row.photo.shape[1]} × {row.photo.shape[0]}"
        height = TITLE + _PHOTO_HEIGHT + _CROP_GAP + _CROP_HEIGHT + CAPTION + 2 * GAP
        canvas, draw = self.blank_row(height, row.title, size)
        shown = scale_to_fit(row.photo, (_WIDTH, _PHOTO_HEIGHT))
        outline_boxes(shown, row.photo, row.annotated, _ANNOTATED, thin=True)
        best = []
        if row.best is not None:
            outline_boxes(shown, row.photo, row.best, _BEST)
            best = [row.best]
        if row.subject is not None:
            outline_boxes(shown, row.photo, row.subject, _SUBJECT)
        self._draw_column(canvas, draw, 0, shown, row.photo, best, row.note)
        for column, crops in enumerate(row.models, 1):
            boxes = crops.boxes[: self.top]
            if self.top > 1:
                pixels = draw_crops(row.photo, boxes, room=(_WIDTH, _PHOTO_HEIGHT))
                shown = Image.fromarray(pixels)
            else:
                shown = scale_to_fit(row.photo, (_WIDTH, _PHOTO_HEIGHT))
                for box in boxes:
                    shade_outside(shown, row.photo, box)
                outline_boxes(shown, row.photo, boxes, rank_colour(0))
            self._draw_column(canvas, draw, column, shown, row.photo, boxes, crops.note)
        if self.references is not None:
            self._draw_references(canvas, row.references)
        return canvas

    def _draw_references(self, canvas: Image.Image, references: Sequence[np.ndarray | None]) -> None:
        width, height = REFERENCE_ROOM
        for number, photo in enumerate(references[:REFERENCES_SHOWN]):
            y, x = divmod(number, _REFERENCE_COLUMNS)
            left = self._left(len(self.models) + 1) + x * (width + _CROP_GAP)
            paste_photo(canvas, photo, (left, GAP + TITLE + y * (height + _CROP_GAP)), REFERENCE_ROOM)

    def _draw_column(
        self,
        canvas: Image.Image,
        draw: ImageDraw.ImageDraw,
        column: int,
        shown: Image.Image,
        photo: np.ndarray,
        boxes: Sequence[np.ndarray],
        note: str,
    ) -> None:
        left, top = self._left(column), GAP + TITLE
        canvas.paste(shown, (left, top))
        top += _PHOTO_HEIGHT + _CROP_GAP
        for box, (x, y, *room) in zip(boxes, _cells(len(boxes)), strict=False):
            canvas.paste(scale_to_fit(cut_crop(photo, box), tuple(room)), (left + x, top + y))
        if not len(boxes):
            draw.text((left, top + 12), "no crop", GREY, load_font(13), anchor="lm")
        font = load_font(14)
        place = (left, top + _CROP_HEIGHT + CAPTION // 2 + 2)
        draw.text(place, fit_text(note, font, _WIDTH), INK if column else GREY, font, anchor="lm")

    def draw_columns(self, draw: ImageDraw.ImageDraw) -> None:
        bold, font = load_font(16, bold=True), load_font(14)
        last = [] if self.references is None else [self.references]
        for column, name in enumerate(["annotation", *self.models, *last]):
            draw.text((self._left(column), HEADER - 18), fit_text(name, bold, _WIDTH), INK, bold, anchor="lm")
        left = MARGIN + load_font(24, bold=True).getlength(self.heading) + GAP
        room = self.width - MARGIN - left - 80  # where the page's number stands
        draw.text((left, 37), fit_text(self.detail, font, room), GREY, font, anchor="lm")


def _cells(number: int) -> list[tuple[int, int, int, int]]:
    """Where up to four crops go: left, top, width and height of each cell, two a line."""
    columns, lines = (2 if number > 1 else 1), (2 if number > 2 else 1)
    width = (_WIDTH - (columns - 1) * _CROP_GAP) // columns
    height = (_CROP_HEIGHT - (lines - 1) * _CROP_GAP) // lines
    places = [divmod(rank, columns) for rank in range(number)]
    return [(x * (width + _CROP_GAP), y * (height + _CROP_GAP), width, height) for y, x in places]

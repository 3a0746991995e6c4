"""What all sheets share: rows of one width under a header, written page by page, and how they look."""

import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image, ImageDraw

from procrop.io import atomic_write, write_text
from procrop.visualization.crop_overlay import scale_to_fit
from procrop.visualization.fonts import fit_text, load_font
from procrop.visualization.html_page import HTML_SUFFIXES, html_page
from procrop.visualization.palette import ABSENT, ALARM, GREY, INK, LINE, PAPER

MARGIN, GAP, TITLE, CAPTION = 32, 18, 34, 26
HEADER = 92


class PagedSheet(ABC):
    """Collects rows as pictures and writes a page whenever one is full: ``sheet.png``, ``sheet_2.png``, …

    Use it as a context manager, or call :meth:`close` at the end. Pages are written to a temporary name first.

    Args:
        path: the first page, a .png or .jpg, or an .html whose header stays in sight; later pages get ``_2``, ``_3``, …
            before the suffix.
        rows_per_page: rows of a full page.
        heading: title of every page.
    """

    def __init__(self, path: str | os.PathLike, rows_per_page: int, heading: str) -> None:
        if rows_per_page < 1:
            raise ValueError(f"a page needs at least one row, got rows_per_page={rows_per_page}")
        self.path = Path(path)
        self.rows_per_page = rows_per_page
        self.heading = heading
        self.pages: list[Path] = []
        self._rows: list[Image.Image] = []

    @property
    @abstractmethod
    def width(self) -> int:
        """Width of a page in pixels, the same for all its rows."""

    @abstractmethod
    def draw_columns(self, draw: ImageDraw.ImageDraw) -> None:
        """Write the titles of the columns into the header of a page, above ``HEADER``."""

    def add_row(self, row: Image.Image) -> None:
        """Take a row of the sheet's width; write the page if it is full."""
        self._rows.append(row)
        if len(self._rows) == self.rows_per_page:
            self._write_page()

    def close(self) -> list[Path]:
        """Write the last page and return the paths of all pages; a sheet without rows has none."""
        if self._rows:
            self._write_page()
        return self.pages

    def __enter__(self) -> "PagedSheet":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()  # on an error too: the rows that are done are worth having

    def blank_row(self, height: int, title: str, detail: str = "") -> tuple[Image.Image, ImageDraw.ImageDraw]:
        """Make an empty row with its rule, its title in bold and a detail in grey behind it."""
        canvas = Image.new("RGB", (self.width, height), PAPER)
        draw = ImageDraw.Draw(canvas)
        draw.line((MARGIN, 0, self.width - MARGIN, 0), LINE)
        font, small = load_font(17, bold=True), load_font(14)
        title = fit_text(title, font, self.width - 2 * MARGIN - small.getlength(detail) - GAP)
        middle = GAP + 8
        draw.text((MARGIN, middle), title, INK, font, anchor="lm")
        draw.text((MARGIN + font.getlength(title) + GAP, middle + 1), detail, GREY, small, anchor="lm")
        return canvas, draw

    def note_row(self, title: str, note: str) -> Image.Image:
        """Make a short row with a line in the colour of alarm in place of pictures."""
        canvas, draw = self.blank_row(TITLE + CAPTION + 2 * GAP, title)
        font = load_font(15)
        draw.text(
            (MARGIN, GAP + TITLE + 6), fit_text(note, font, self.width - 2 * MARGIN), ALARM, font, anchor="lm"
        )
        return canvas

    def _write_page(self) -> None:
        header = Image.new("RGB", (self.width, HEADER), PAPER)
        self._draw_header(ImageDraw.Draw(header))
        number = len(self.pages) + 1
        name = self.path.name if number == 1 else f"{self.path.stem}_{number}{self.path.suffix}"
        path = self.path.with_name(name)
        if path.suffix.lower() in HTML_SUFFIXES:
            write_text(path, html_page(self.heading, header, self._rows))
        else:
            kind = "JPEG" if path.suffix.lower() in (".jpg", ".jpeg") else "PNG"
            with atomic_write(path) as file:
                page = _stacked([header, *self._rows])
                # runs alone are looked for: a third of the time, and photos become no larger
                page.save(file, kind, quality=90, compress_level=1, compress_type=zlib.Z_RLE)
        self.pages.append(path)
        self._rows = []

    def _draw_header(self, draw: ImageDraw.ImageDraw) -> None:
        number = len(self.pages) + 1
        title, font = load_font(24, bold=True), load_font(14)
        draw.text((MARGIN, 34), fit_text(self.heading, title, self.width / 2), INK, title, anchor="lm")
        if number > 1:
            draw.text((self.width - MARGIN, 34), f"page {number}", GREY, font, anchor="rm")
        self.draw_columns(draw)


def _stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one width, one below the other."""
    page = Image.new("RGB", (pictures[0].width, sum(picture.height for picture in pictures)), PAPER)
    top = 0
    for picture in pictures:
        page.paste(picture, (0, top))
        top += picture.height
    return page


def paste_photo(
    canvas: Image.Image, photo: np.ndarray | None, place: Sequence[int], room: tuple[int, int]
) -> tuple[int, int]:
    """Paste a photo, scaled into ``room``, with its top left corner at ``place``; a grey field for a missing one.

    Args:
        canvas: what to draw on.
        photo: (H, W, 3) uint8 RGB, or None when its file is gone.
        place: (left, top) in pixels of ``canvas``.
        room: (width, height) in pixels.

    Returns:
        (width, height) of what was pasted.
    """
    left, top = place
    if photo is None:
        draw = ImageDraw.Draw(canvas)
        draw.rectangle((left, top, left + room[0] - 1, top + room[1] - 1), fill=ABSENT)
        middle = (left + room[0] / 2, top + room[1] / 2)
        draw.text(middle, "file is gone", GREY, load_font(13), anchor="mm")
        return room
    image = scale_to_fit(photo, room)
    canvas.paste(image, (left, top))
    return image.size

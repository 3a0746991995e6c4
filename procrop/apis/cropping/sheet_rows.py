"""The contact sheet of a run: its rows are drawn of the record, so that a resumed run draws the same."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from procrop.apis.cropping.record import Line, PhotoRecord, title_of
from procrop.apis.cropping.recorded_result import result_of

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from procrop.visualization import ContactSheet

SHEET = "sheet.png"
_MOST = 6  # references shown of each photo


class SheetRows:
    """Draws rows of a contact sheet, in any thread.

    Args:
        sheet: the sheet.
        text: whether the model reads text, so that rows say what was said of the photo.
    """

    def __init__(self, sheet: "ContactSheet", text: bool) -> None:
        self.sheet, self.text = sheet, text

    def draw(self, line: Line, photo: "np.ndarray | None") -> "Image.Image":
        """Draw the row of a line; ``photo`` is (H, W, 3) uint8 RGB, upright, or None where there is none."""
        from procrop.visualization import SheetRow

        title = title_of(line)
        if "rejected" in line:
            return self.sheet.draw(SheetRow(title, note=line["rejected"]))
        if photo is None:
            return self.sheet.note_row(title, "the photo cannot be read any more")
        result = result_of(line, photo)
        references = [(_thumbnail(ref.path), ref.score) for ref in result.references[:_MOST]]
        said = dict(credits=[ref.credit for ref in result.references[:_MOST]])
        if self.text:
            said |= dict(caption=result.caption or "", caption_source=result.caption_source or "")
        return self.sheet.draw(SheetRow(title, photo, result.boxes, result.scores, references, **said))

    def draw_again(self, records: Iterable[PhotoRecord], drawn: int) -> None:
        """Add the rows of photos that an earlier run has cropped, but for the first ``drawn`` rows."""
        number = 0
        for record in records:
            number += len(record.lines)
            if number <= drawn:
                continue
            new = record.lines[-(number - drawn) :]
            photo = None if all("rejected" in line for line in new) else read_again(record.path)
            for line in new:
                self.sheet.add_row(self.draw(line, photo))


def read_again(path: str) -> "np.ndarray | None":
    """A photo that was cropped before; None where it is gone."""
    from procrop.io import PhotoError, read_photo

    try:
        return read_photo(path)
    except PhotoError:
        return None


def sheet_pages(out: Path) -> list[Path]:
    """The pages of a sheet, in order."""
    pages = [out / SHEET]
    while pages[-1].is_file():
        pages.append(out / f"sheet_{len(pages) + 1}.png")
    return pages[:-1]


def finished_pages(out: Path, kept: Sequence[PhotoRecord], unchanged: int, per_page: int) -> list[Path]:
    """The pages that stay as they are; the others are removed.

    Args:
        out: the output folder.
        kept: the photos that are on the sheet.
        unchanged: so many of them, from the first, are in the place where they were.
        per_page: rows of a full page.
    """
    rows = sum(len(record.lines) for record in kept[:unchanged])
    pages = sheet_pages(out)
    full = min(rows // per_page, len(pages))
    for page in pages[full:]:
        page.unlink()
    return pages[:full]


@lru_cache(maxsize=1024)  # 43 MB at most
def _thumbnail(path: str | None) -> "np.ndarray | None":
    from procrop.visualization import read_thumbnail
    from procrop.visualization.contact_sheet import REFERENCE_ROOM

    return read_thumbnail(path, REFERENCE_ROOM)

"""Unsplash Lite, 25,000 nature-themed photos (Unsplash 2023)."""

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

from procrop.registry import GALLERY_SOURCES

from ..gallery_format import GalleryItem, PhotoCredit
from .base import GallerySource, GallerySourceError

_ID = re.compile(r"[\w-]+", re.ASCII)
_LONGEST_FIELD = 1 << 20
_LICENCE = "Unsplash Dataset terms (Lite)"


@GALLERY_SOURCES.register_module()
class UnsplashLiteSource(GallerySource):
    """The photos that Unsplash's table lists, in its order.

    The table is ``photos.tsv000`` (``photos.csv000`` in later releases; of a larger set, all its parts): tab-separated,
    the first line names the columns, one of which is ``photo_id``. The photos themselves are not part of the download:
    fetch each from its ``photo_image_url`` as Unsplash's terms allow. Those that are not on the disk are reported. The
    table's columns on photographer and page become each photo's credit.

    Args:
        root: The dataset's folder.
        pattern: Where a photo lies, relative to ``root``, with ``{photo_id}`` in place of its id.
        table: Name of the table in ``root``; None takes the parts named above.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        pattern: str = "images/{photo_id}.jpg",
        table: str | None = None,
    ) -> None:
        if "{photo_id}" not in pattern:
            raise ValueError(f"pattern must hold {{photo_id}} in place of a photo's id, not be {pattern!r}")
        folder = os.path.dirname(pattern)
        self.folder = Path(root)
        self.pattern, self.table = pattern, table
        # a folder per photo is below the dataset's
        super().__init__(self.folder if "{photo_id}" in folder else self.folder / folder)

    def items(self) -> list[GalleryItem]:
        self.report = {}
        found: dict[str, GalleryItem] = {}
        for place, photo_id, credit in self._rows():
            path = self.folder / self.pattern.replace("{photo_id}", photo_id)
            if photo_id in found:
                self.leave_out("photo listed twice", place)
            elif not path.is_file():
                self.leave_out("photo not on the disk", path)
            else:
                found[photo_id] = GalleryItem(path, source_id=photo_id, credit=credit)
        return self.check_any(list(found.values()))

    def _tables(self) -> list[Path]:
        names = [self.table] if self.table else ["photos.tsv[0-9]*", "photos.csv[0-9]*"]
        tables = [path for name in names for path in sorted(self.folder.glob(name))]
        if not tables:
            raise GallerySourceError(
                f"{self.folder / (self.table or 'photos.tsv000')}: not found; unpack Unsplash Lite there, or name the "
                f"table in `table`"
            )
        return tables

    def _rows(self) -> Iterator[tuple[str, str, PhotoCredit]]:
        """Place, id and credit of each usable row."""
        before = csv.field_size_limit(_LONGEST_FIELD)
        try:
            for path in self._tables():
                yield from self._rows_of(path)
        finally:
            csv.field_size_limit(before)

    def _rows_of(self, path: Path) -> Iterator[tuple[str, str, PhotoCredit]]:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file, delimiter="\t")
            try:
                header = next(rows, [])
                if "photo_id" not in header:
                    raise GallerySourceError(
                        f"{path}:1: no column photo_id; this is not Unsplash's table of photos"
                    )
                column = header.index("photo_id")
                for row in rows:
                    place = f"{path}:{rows.line_num}"
                    if len(row) != len(header):
                        self.leave_out(f"not {len(header)} columns", place)
                    elif not _ID.fullmatch(row[column]):
                        self.leave_out("photo_id that is no id", place)
                    else:
                        yield place, row[column], _credit(dict(zip(header, row, strict=True)))
            except csv.Error as error:
                self.leave_out(f"the rest of the table cannot be read ({error})", f"{path}:{rows.line_num}")


def _credit(row: dict[str, str]) -> PhotoCredit:
    """Licence, author and page of a row, as far as the table has the columns."""
    names = [row.get(f"photographer_{part}_name", "").strip() for part in ("first", "last")]
    author = " ".join(filter(None, names)) or row.get("photographer_username", "").strip()
    return PhotoCredit(_LICENCE, None, author or None, row.get("photo_url", "").strip() or None)

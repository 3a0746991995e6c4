"""Unsplash Lite, 25,000 nature-themed photos (Unsplash 2023)."""

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

from procrop.registry import GALLERY_SOURCES

from ..gallery_format import GalleryItem
from .base import GallerySource, GallerySourceError

_ID = re.compile(r"[\w-]+", re.ASCII)
_LONGEST_FIELD = 1 << 20


@GALLERY_SOURCES.register_module()
class UnsplashLiteSource(GallerySource):
    """The photos that Unsplash's table lists, in its order.

    The table is ``photos.tsv000`` (``photos.csv000`` in later releases; of a larger set, all its parts): tab-separated,
    the first line names the columns, one of which is ``photo_id``. The photos themselves are not part of the download:
    fetch each from its ``photo_image_url`` as Unsplash's terms allow. Those that are not on the disk are reported.

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
        for place, photo_id in self._ids():
            path = self.folder / self.pattern.replace("{photo_id}", photo_id)
            if photo_id in found:
                self.leave_out("photo listed twice", place)
            elif not path.is_file():
                self.leave_out("photo not on the disk", path)
            else:
                found[photo_id] = GalleryItem(path, source_id=photo_id)
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

    def _ids(self) -> Iterator[tuple[str, str]]:
        """Place and id of each usable row."""
        before = csv.field_size_limit(_LONGEST_FIELD)
        try:
            for path in self._tables():
                yield from self._ids_of(path)
        finally:
            csv.field_size_limit(before)

    def _ids_of(self, path: Path) -> Iterator[tuple[str, str]]:
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
                        yield place, row[column]
            except csv.Error as error:
                self.leave_out(f"the rest of the table cannot be read ({error})", f"{path}:{rows.line_num}")

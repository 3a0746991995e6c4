"""AVA, the paper's database of professional photos (Murray, Marchesotti and Perronnin 2012)."""

import os
from pathlib import Path

from procrop.registry import GALLERY_SOURCES

from ..gallery_format import GalleryItem
from .base import GallerySource, names_in, read_lines

_COLUMNS = 15


@GALLERY_SOURCES.register_module()
class AVASource(GallerySource):
    """The best-rated photos of AVA (paper, Implementation Details: the top 55,000).

    ``AVA.txt`` has a line per photo of 15 whole numbers: a running number, the photo's id, how many people gave it 1 to
    10 points (ten numbers), two semantic tags and the challenge. A photo's score is the mean over all points given;
    photos are ordered by (-score, id), so the gallery's ids go from the best photo on and a larger ``top`` only adds to
    the end.

    The best are chosen among all photos that the file lists: those of them that are not on the disk are reported and
    missed, never replaced by worse ones, so that the choice is the same everywhere.

    Args:
        root: Folder with ``AVA.txt`` and ``images/<id>.jpg``.
        top: How many of the best photos; None takes all.
        ratings: Name of the file of ratings in ``root``.
        images: Name of the folder of photos in ``root``.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        top: int | None = 55_000,
        ratings: str = "AVA.txt",
        images: str = "images",
    ) -> None:
        if top is not None and top < 1:
            raise ValueError(f"top must be at least 1, or None for all, not {top}")
        super().__init__(Path(root) / images)
        self.ratings = Path(root) / ratings
        self.top = top

    def items(self) -> list[GalleryItem]:
        self.report = {}
        scores = self.scores()
        best = sorted(scores, key=lambda photo_id: (-scores[photo_id], photo_id))[: self.top]
        present = names_in(self.root, "AVA's photos")
        items = []
        for photo_id in best:
            path = self.root / f"{photo_id}.jpg"
            if path.name in present:
                items.append(GalleryItem(path, source_id=str(photo_id)))
            else:
                self.leave_out("photo not on the disk", path)
        return self.check_any(items)

    def scores(self) -> dict[int, float]:
        """Mean score, 1 to 10, of each photo id that the file rates."""
        scores: dict[int, float] = {}
        for number, line in read_lines(self.ratings, "AVA's file of ratings"):
            place = f"{self.ratings}:{number}"
            try:
                values = [int(value) for value in line.split()]
            except ValueError:
                values = []
            votes = values[2:12]
            if len(values) != _COLUMNS:
                self.leave_out(f"not {_COLUMNS} whole numbers", place)
            elif min(votes) < 0 or not any(votes):
                self.leave_out("no votes, or fewer than none", place)
            elif values[1] in scores:
                self.leave_out("photo listed twice", place)
            else:
                points = sum(mark * count for mark, count in enumerate(votes, start=1))
                scores[values[1]] = points / sum(votes)
        return scores

"""Everything that is written of one photo: its crops, its pictures, its lines in the record."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procrop.apis.cropping.crop_sets import CropSet
from procrop.apis.cropping.plan import CROPS, CropJob
from procrop.apis.cropping.record import Line, PhotoRecord, fingerprint_of, rejected_line, title_of
from procrop.apis.cropping.recorded_result import attention_line, result_of
from procrop.apis.cropping.sheet_rows import SheetRows

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from procrop.inference.crop_result import CropResult
    from procrop.io import PhotoError
    from procrop.photofile import SourceFile

OVERLAYS, BEFORE_AFTER, EXPLAINED = "overlays", "before_after", "explained"
FOLDERS = (CROPS, OVERLAYS, BEFORE_AFTER, EXPLAINED)
_ROOM = (1600, 1600)  # pixels that overlays are scaled into


def written_folders(args: argparse.Namespace) -> list[str]:
    """Those of ``FOLDERS`` that the options on what is written ask for."""
    wanted = (not args.no_crops, args.overlay, args.before_after, args.explain)
    return [name for name, wish in zip(FOLDERS, wanted, strict=True) if wish]


@dataclass(frozen=True)
class AnsweredPhoto:
    """A photo with its crops.

    Attributes:
        job: the photo.
        fingerprint: of its file, before it was read.
        results: one for each crop set.
        photo: (H, W, 3) uint8 RGB, upright; None where it could not be read.
        fault: why not.
    """

    job: CropJob
    fingerprint: str | None
    results: Sequence["CropResult"]
    photo: "np.ndarray | None" = None
    fault: "PhotoError | None" = None


@dataclass(frozen=True)
class WrittenPhoto:
    """What is left to hand over when a photo's files are there.

    Attributes:
        record: its lines.
        rows: its rows of the contact sheet.
    """

    record: PhotoRecord
    rows: Sequence["Image.Image"] = ()


class PhotoFiles:
    """Writes the files of photos; any number of threads may do so at a time.

    Args:
        out: the output folder.
        sets: the crop sets.
        args: the options on what is written.
        rows: draws rows of the contact sheet; None where there is none.
        note: what explanations are to say of the attention.
    """

    def __init__(
        self,
        out: Path,
        sets: Sequence[CropSet],
        args: argparse.Namespace,
        rows: SheetRows | None,
        note: str = "",
    ) -> None:
        self.out, self.sets, self.args, self.rows, self.note = out, sets, args, rows, note

    def write(self, answered: AnsweredPhoto) -> WrittenPhoto:
        """Write the files of a photo; one that cannot be read any more, or not be written so, becomes a rejected one.

        Raises:
            OSError: the disk is full, or failed.
        """
        from procrop.io import PhotoError

        lines = [
            self._line(answered, result, one) for result, one in zip(answered.results, self.sets, strict=True)
        ]
        try:
            if not self.args.no_crops:
                self._write_crops(answered, lines)
            for line, one in zip(lines, self.sets, strict=True):
                self._draw_pictures(answered, line, one)
        except PhotoError as error:
            for name in PhotoRecord(tuple(lines)).files:
                (self.out / name).unlink(missing_ok=True)
            gone = rejected_line(str(answered.job.path), error)
            lines = [self._named(answered, gone, one) for one in self.sets]
        rows = []
        if self.rows is not None:
            rows = [self.rows.draw(line, answered.photo) for line in lines]
        return WrittenPhoto(PhotoRecord(tuple(lines)), rows)

    def _line(self, answered: AnsweredPhoto, result: "CropResult", one: CropSet) -> Line:
        line = result.to_dict()
        if answered.fault is not None:
            line = rejected_line(line["path"], answered.fault)
        if self.args.explain and result.rejected is None:
            line["attention"] = attention_line(result)
        return self._named(answered, line, one)

    def _named(self, answered: AnsweredPhoto, line: Line, one: CropSet) -> Line:
        job = answered.job
        return {
            "path": line["path"],
            "name": job.name,
            "ratio": one.ratio,
            **line,
            "stem": job.stem,
            "asked_caption": job.caption,
            "fingerprint": answered.fingerprint,
        }

    def _write_crops(self, answered: AnsweredPhoto, lines: Sequence[Line]) -> None:
        """Cut the crops out of the file, which is read once, and add what was written to the lines."""
        from procrop.photofile import read_source, suffix_of

        if all("rejected" in line for line in lines):
            return
        job = answered.job
        suffix = suffix_of(job.path, self.args.format)
        unchanged = fingerprint_of(job.path) == answered.fingerprint
        file = read_source(job.path, self.args.format, photo=answered.photo if unchanged else None)
        for line, one in zip(lines, self.sets, strict=True):
            for rank, crop in enumerate(line.get("crops", ()), start=1):
                name = f"{CROPS}/{one.folder}{job.stem}_{rank}{suffix}"
                self._write_crop(file, line, crop, name)

    def _write_crop(self, file: "SourceFile", line: Line, crop: dict[str, Any], name: str) -> None:
        from procrop.io import PhotoError
        from procrop.photofile import snap_to_blocks, write_cut
        from procrop.visualization.crop_overlay import whole_pixels

        if list(file.size) != line["size"]:
            raise PhotoError(file.path, "the file changed while it was cropped", "crop it again")
        box = whole_pixels(crop["box"], *file.size)
        if self.args.lossless:
            box = snap_to_blocks(file.path, box)
            crop["box"] = [float(edge) for edge in box]
        crop["file"] = (
            name  # before it is there, so that it is found if only half of the photo can be written
        )
        written = write_cut(file, box, self.out / name, size=self.args.size, quality=self.args.quality)
        crop.update(file_size=list(written.size), lossless=written.lossless, file_notes=list(written.notes))

    def _draw_pictures(self, answered: AnsweredPhoto, line: Line, one: CropSet) -> None:
        if "rejected" in line or not (self.args.overlay or self.args.before_after or self.args.explain):
            return
        from procrop.visualization import draw_before_after, draw_explanation, draw_overlay

        result, place = result_of(line, answered.photo), f"{one.folder}{answered.job.stem}"
        pictures: dict[str, str] = {}
        line["pictures"] = pictures
        if self.args.overlay:
            drawn = draw_overlay(result.image, result.boxes, result.scores, result.focal_points, _ROOM)
            pictures["overlay"] = self._save(drawn, f"{OVERLAYS}/{place}_overlay.jpg")
        if self.args.before_after:
            drawn = draw_before_after(result.image, result.boxes[0])
            pictures["before_after"] = self._save(drawn, f"{BEFORE_AFTER}/{place}_1.jpg")
        if self.args.explain:
            drawn = draw_explanation(result, note=self.note, name=title_of(line))
            pictures["explained"] = self._save(drawn, f"{EXPLAINED}/{place}_explained.png")

    def _save(self, picture: "Image.Image", name: str) -> str:
        from procrop.io import atomic_write

        with atomic_write(self.out / name) as file:
            picture.save(file, "PNG" if name.endswith(".png") else "JPEG", quality=90)
        return name

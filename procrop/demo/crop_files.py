"""Crops of visitors' photos as files, cut out of the files that they brought."""

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procrop.demo.demo_photo import DemoPhoto
from procrop.io import PhotoError
from procrop.photofile import SourceFile, read_source, suffix_of, write_cut
from procrop.visualization.crop_overlay import whole_pixels

if TYPE_CHECKING:
    from procrop.inference import CropResult


@dataclass(frozen=True)
class CropFile:
    """A crop that was written.

    Attributes:
        path: the file.
        notes: what of the photo's file could not be kept.
    """

    path: Path
    notes: tuple[str, ...]


def write_crop_file(
    photo: DemoPhoto, result: "CropResult", rank: int, folder: Path, max_pixels: int
) -> CropFile:
    """Cut a crop out of a photo's file, with everything that the file holds.

    Args:
        photo: the photo.
        result: its crops.
        rank: which one, counted from 0.
        folder: where it is written.
        max_pixels: larger photos are refused.

    Raises:
        PhotoError: the photo's file cannot be read, or the crop not be written in its format.
    """
    suffix = suffix_of(photo.path)
    return _cut(read_source(photo.path, "keep", max_pixels), photo, result, rank, folder, suffix)


def _cut(
    file: SourceFile, photo: DemoPhoto, result: "CropResult", rank: int, folder: Path, suffix: str
) -> CropFile:
    target = folder / photo.crop_name(rank, suffix)
    written = write_cut(file, whole_pixels(result.boxes[rank], *file.size), target)
    return CropFile(target, written.notes)


def write_archive(
    answered: Iterable[tuple[DemoPhoto, "CropResult"]], target: Path, max_pixels: int
) -> list[str]:
    """Write all crops of all photos into a ZIP, with a line for each photo in its ``crops.jsonl``.

    Args:
        answered: photos with their crops, or with the reason why there are none.
        target: the archive. The crops lie beside it until they are in it.
        max_pixels: as for :func:`write_crop_file`.

    Returns:
        The names in the archive.
    """
    lines = []
    with zipfile.ZipFile(target, "w") as archive:  # stored: photos are compressed already
        for photo, result in answered:
            line = _line(photo, result)
            try:
                for rank in range(len(result.boxes)):
                    if rank == 0:
                        suffix = suffix_of(photo.path)
                        file = read_source(photo.path, "keep", max_pixels)
                    written = _cut(file, photo, result, rank, target.parent, suffix)
                    archive.write(written.path, written.path.name)
                    written.path.unlink()
                    line["crops"][rank].update(file=written.path.name, file_notes=list(written.notes))
            except PhotoError as error:
                line["rejected"] = error.reason
            lines.append(line)
        archive.writestr("crops.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        return archive.namelist()


def _line(photo: DemoPhoto, result: "CropResult") -> dict[str, Any]:
    """A line as in the record of ``procrop crop``, without the places of files on this machine."""
    line = result.to_dict()
    del line["path"]
    for reference in line.get("references", ()):
        del reference["path"]
    return {"name": photo.name, **line}

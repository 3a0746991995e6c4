"""A crop, cut out of a photo file and written as a file that keeps what the photo's has."""

import dataclasses
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

from procrop.io.atomic import write_bytes
from procrop.photofile.conversion import fitted, narrowed
from procrop.photofile.file_formats import check_suffix, encoded
from procrop.photofile.jpeg_cut import cut_jpeg, on_block_grid
from procrop.photofile.jpeg_writer import encode_jpeg, with_segments
from procrop.photofile.metadata import Metadata
from procrop.photofile.png_writer import encode_png
from procrop.photofile.raster import Raster
from procrop.photofile.resize import resize
from procrop.photofile.source_file import SourceFile, read_source
from procrop.photofile.tiff_writer import DEFLATE, encode_tiff
from procrop.photofile.turn import Box
from procrop.photofile.webp_writer import encode_webp, is_lossless


@dataclass(frozen=True)
class WrittenCrop:
    """What has been written.

    Attributes:
        path: the file.
        size: its width and height.
        lossless: the crop's pixels went through no rounding on their way: a JPEG's coefficients were moved, or the
            format is one without loss and nothing was resized or reduced.
        notes: what could not be kept, and what was done instead.
    """

    path: str
    size: tuple[int, int]
    lossless: bool
    notes: tuple[str, ...] = ()


def write_crop(
    source: str | os.PathLike,
    box: Sequence[float],
    target: str | os.PathLike,
    *,
    size: tuple[int, int] | None = None,
    format: str = "keep",  # noqa: A002 (the option's name)
    quality: int | None = None,
    lossless: bool = True,
    max_pixels: int = 200_000_000,
) -> WrittenCrop:
    """Cut a crop out of a photo file and write it, with the photo's colour profile, EXIF and depth.

    What each format keeps is told in docs/photo_files.md. The file is written whole or not at all.

    Args:
        source: the photo.
        box: (x1, y1, x2, y2), whole pixels of the upright photo.
        target: the file to write; a file there is replaced.
        size: (width, height) that the crop is resized to; None leaves it as it is.
        format: "keep", "jpeg", "png", "webp" or "tiff".
        quality: 1 to 100 of JPEG and WebP; None: as the source.
        lossless: take the coefficients out of a JPEG where its block grid allows it, without decoding.
        max_pixels: larger photos are refused.

    Raises:
        PhotoError: the photo cannot be used, or cannot be written in the format.
        ValueError: box, size, format, quality or target make no sense, or the target is the source.
        OSError: the target cannot be written, for example because the disk is full.
    """
    return write_cut(
        read_source(source, format, max_pixels), box, target, size=size, quality=quality, lossless=lossless
    )


def write_cut(
    file: SourceFile,
    box: Sequence[float],
    target: str | os.PathLike,
    *,
    size: tuple[int, int] | None = None,
    quality: int | None = None,
    lossless: bool = True,
) -> WrittenCrop:
    """:func:`write_crop` for several crops of a photo that is read once.

    Args:
        file: of :func:`procrop.photofile.read_source`, which is told the format.
        box: as for :func:`write_crop`.
        target: as for :func:`write_crop`.
        size: as for :func:`write_crop`.
        quality: as for :func:`write_crop`.
        lossless: as for :func:`write_crop`.

    Raises:
        PhotoError, ValueError, OSError: as :func:`write_crop`.
    """
    _check(file.path, target, size, quality)
    check_suffix(target, file.target)
    pixels = _whole_box(box, file.size, file.path)
    data, written_size, exact, notes = _make(file, pixels, size, quality, lossless)
    try:
        write_bytes(target, data)
    except OSError as error:
        error.filename = error.filename or os.fspath(
            target
        )  # a full disk does not say which file it is about
        raise
    return WrittenCrop(os.fspath(target), written_size, exact, tuple(dict.fromkeys(notes)))


def _check(
    source: str | os.PathLike, target: str | os.PathLike, size: tuple[int, int] | None, quality: int | None
) -> None:
    name = os.fspath(target)
    if size is not None and not (
        len(size) == 2 and all(isinstance(side, Integral) and 0 < side < 65536 for side in size)
    ):
        raise ValueError(
            f"{name!r}: size {size} is no (width, height) of 1 to 65535 whole pixels; give such a pair"
        )
    if quality is not None and not (isinstance(quality, Integral) and 1 <= quality <= 100):
        raise ValueError(
            f"{name!r}: quality {quality} is no whole number of 1 to 100; give such a one or none"
        )
    if os.path.exists(target) and os.path.exists(source) and os.path.samefile(source, target):
        raise ValueError(f"{name!r} is the photo itself, which is never overwritten; name another file")


def _whole_box(box: Sequence[float], size: tuple[int, int], path: str) -> Box:
    numbers = [float(value) for value in box]
    if len(numbers) != 4 or not all(math.isfinite(value) and value == int(value) for value in numbers):
        raise ValueError(f"{path!r}: box {list(box)} is not (x1, y1, x2, y2) in whole pixels; round it")
    x1, y1, x2, y2 = (int(value) for value in numbers)
    if not (0 <= x1 < x2 <= size[0] and 0 <= y1 < y2 <= size[1]):
        upright = f"the upright photo of {size[0]} x {size[1]} pixels"
        raise ValueError(f"{path!r}: box {[x1, y1, x2, y2]} is empty or leaves {upright}; clip it")
    return x1, y1, x2, y2


def _make(
    file: SourceFile, box: Box, size: tuple[int, int] | None, quality: int | None, lossless: bool
) -> tuple[bytes, tuple[int, int], bool, list[str]]:
    """The new file's bytes, its size, whether it is exact, and notes."""
    stored = file.turn.stored_box(box, file.size)
    whole, notes = narrowed(file.raster, file.target)
    crop = whole.cut(stored, file.turn)
    resized = size is not None and size != crop.size
    if resized:
        notes.append(f"resized from {crop.size[0]} x {crop.size[1]}")
        crop = resize(crop, size)
    metadata = file.metadata.for_crop(crop.size, file.turn.swaps)
    if lossless and quality is None and not resized and file.jpeg is not None and file.target == "JPEG":
        jpeg, why = _cut_losslessly(file, stored, crop)
        if jpeg is not None:
            data, lost = with_segments(jpeg, metadata)
            return data, crop.size, True, [*file.notes, *_said(metadata, lost), *why]
        notes += why
    raster, profile, changes = fitted(crop, file.target, metadata.icc, file.path)
    metadata = dataclasses.replace(metadata, icc=profile)
    data, lost, exact = _encode(file, raster, metadata, quality)
    exact = exact and not resized and not changes and not notes and not file.notes
    return data, crop.size, exact, [*file.notes, *notes, *changes, *_said(metadata, lost)]


def _cut_losslessly(file: SourceFile, stored: Box, crop: Raster) -> tuple[bytes | None, list[str]]:
    if not on_block_grid(file.jpeg, stored, file.turn):
        return None, []
    try:
        jpeg = cut_jpeg(file.data, stored, file.turn, crop.values)
    except ImportError:
        return None, ["re-encoded, because jpeglib is not installed (pip install procrop[lossless])"]
    progressive = jpeg is not None and file.jpeg.progressive
    return jpeg, ["baseline instead of progressive"] if progressive else []


def _encode(
    file: SourceFile, raster: Raster, metadata: Metadata, quality: int | None
) -> tuple[bytes, list[str], bool]:
    """The file, what does not fit into it, and whether its encoding loses nothing."""
    if file.target == "JPEG":
        encode = lambda: encode_jpeg(raster, metadata, file.jpeg, file.turn.swaps, quality)  # noqa: E731
        exact = False
    elif file.target == "PNG":
        encode, exact = lambda: encode_png(raster, metadata, file.png_header), True
    elif file.target == "TIFF":
        compression, predictor = file.tiff or (DEFLATE, 1)
        encode, exact = lambda: encode_tiff(raster, metadata, compression, predictor), True
    else:
        exact = quality is None and file.format == "WEBP" and is_lossless(file.data)
        encode = lambda: encode_webp(raster, metadata, exact, quality)  # noqa: E731
    data, lost = encoded(file.path, file.target, encode)
    return data, lost, exact


def _said(metadata: Metadata, lost: list[str]) -> list[str]:
    return [f"left out: {name}" for name in (*metadata.left_out, *lost)]

"""A photo file, opened: pixels as it holds them, metadata, and how it was encoded."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from procrop.io.photo import PhotoError, damaged, opened_photo, orientation_of
from procrop.photofile.deep_pixels import png_is_deep, read_deep_png, read_deep_tiff, tiff_is_deep
from procrop.photofile.file_formats import source_format, target_format
from procrop.photofile.jpeg_facts import JpegFacts
from procrop.photofile.metadata import Metadata, read_metadata
from procrop.photofile.png_chunks import chunks_of, kept_chunks
from procrop.photofile.raster import Raster, from_image
from procrop.photofile.tiff_metadata import read_tiff_metadata
from procrop.photofile.turn import TURNS, Turn

_COMPRESSION, _PREDICTOR = 259, 317
_DEEP_LOST = (
    "16 bits are reduced to 8, because no installed library reads them here (try: pip install imagecodecs)"
)


@dataclass(frozen=True)
class SourceFile:
    """A photo file.

    Attributes:
        path: where it is.
        format: Pillow's name of its format.
        target: Pillow's name of the format of the crop.
        data: the file's bytes.
        raster: the stored pixels.
        turn: what makes them upright.
        metadata: what else is kept.
        notes: what could not be read as it is.
        jpeg: of a JPEG, how it was encoded.
        tiff: of a TIFF, its compression and predictor.
    """

    path: str
    format: str
    target: str
    data: bytes
    raster: Raster
    turn: Turn
    metadata: Metadata
    notes: tuple[str, ...] = ()
    jpeg: JpegFacts | None = None
    tiff: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright photo."""
        return self.turn.upright_size(self.raster.size)

    @property
    def png_header(self) -> bytes | None:
        """IHDR's data, of a PNG."""
        return self.data[16:29] if self.format == "PNG" else None


def read_source(
    path: str | os.PathLike,
    format: str = "keep",  # noqa: A002
    max_pixels: int = 200_000_000,
    photo: np.ndarray | None = None,
) -> SourceFile:
    """Read and decode a photo file whose crop is to be written in a format.

    Args:
        path: the file.
        format: as for :func:`write_crop`.
        max_pixels: larger photos are refused.
        photo: (H, W, 3) uint8, upright: what :func:`procrop.io.read_photo` has made of the same file. Where the file
            holds just that (a JPEG in colour without a profile), it is not decoded again.

    Raises:
        PhotoError: the file cannot be used as a photo.
        ValueError: there is no such format.
    """
    with opened_photo(path, max_pixels) as image:
        target = target_format(image, format)
        data = Path(path).read_bytes()
        try:
            return _decoded(os.fspath(path), source_format(image), target, data, image, photo)
        except MemoryError:
            reason = f"{image.width} x {image.height} pixels do not fit into memory"
            raise PhotoError(path, reason, "scale the photo down") from None
        except Exception as error:  # OSError, SyntaxError, struct.error, ... depending on the format
            raise damaged(path, error) from error


def _decoded(
    path: str, name: str, target: str, data: bytes, image: Image.Image, photo: np.ndarray | None
) -> SourceFile:
    frames = getattr(image, "n_frames", 1)
    notes = [f"the first of {frames} pictures"] if frames > 1 else []
    tiff = jpeg = None
    if name == "TIFF":
        tiff = (image.tag_v2.get(_COMPRESSION, 1), image.tag_v2.get(_PREDICTOR, 1))
        stored_orientation, deep = image.tag_v2.get(0x0112, 1), tiff_is_deep(image)
        metadata = read_tiff_metadata(data, image.info.get("icc_profile"))
    elif name == "JPEG":
        jpeg, deep = JpegFacts.of(image), False
    else:
        deep = name == "PNG" and png_is_deep(data)
    raster = _of_photo(photo, image) if name == "JPEG" else None
    if raster is None:
        image.load()
    # asked after loading: Pillow turns TIFF files itself and drops their tag, and PNG has texts behind its pixels
    orientation = orientation_of(image)
    if name != "TIFF":
        metadata = read_metadata(image)
    if deep and name == "TIFF":
        raster, note = read_deep_tiff(data, image)
        notes += [note] if note else []
        orientation = stored_orientation if raster is not None else orientation
    elif deep:
        raster = read_deep_png(data)
    if raster is None:
        notes += [_DEEP_LOST] if deep else []
        raster = from_image(image)
    if name == "PNG":
        metadata = _with_chunks(metadata, data)
    return SourceFile(
        path, name, target, data, raster, TURNS.get(orientation, TURNS[1]), metadata, tuple(notes), jpeg, tiff
    )


def _of_photo(photo: np.ndarray | None, image: Image.Image) -> Raster | None:
    """The stored pixels of a JPEG, of the photo that was read out of it; None where it holds something else."""
    if photo is None or image.mode != "RGB" or image.info.get("icc_profile"):
        return None
    stored = TURNS[orientation_of(image)].undo(photo)
    return Raster(stored, "RGB") if stored.shape[1::-1] == image.size else None


def _with_chunks(metadata: Metadata, png: bytes) -> Metadata:
    import dataclasses

    return dataclasses.replace(metadata, png_chunks=kept_chunks(png), density=_png_density(png))


def _png_density(png: bytes) -> tuple[int, int, int] | None:
    """Pixels per inch, as JFIF counts them, of a PNG, which counts per metre."""
    for kind, data in chunks_of(png):
        if kind == b"pHYs" and len(data) == 9:
            x, y = int.from_bytes(data[:4]), int.from_bytes(data[4:8])
            values = (round(x * 0.0254), round(y * 0.0254)) if data[8] == 1 else (x, y)
            return (int(data[8] == 1), *values) if all(0 < value < 65536 for value in values) else None
    return None

"""Crops of JPEG files without decoding: the coefficients are moved, and nothing is rounded."""

import io
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
from PIL import Image

from procrop.io.photo import opened_photo, orientation_of
from procrop.photofile.file_formats import source_format
from procrop.photofile.jpeg_facts import JpegFacts
from procrop.photofile.turn import TURNS, Box, Turn

_LOCK = threading.Lock()  # jpeglib keeps what it reads in variables of its library
_LARGEST_ROUNDING = 8  # grey levels between two decodings of the same coefficients, turned; 3 were seen
_BORDER = 3  # pixels at the edge of a crop whose colours are interpolated from fewer neighbours


def on_block_grid(facts: JpegFacts, stored: Box, turn: Turn) -> bool:
    """Whether a box of the stored photo can be cut without loss.

    The upright crop must begin on the grid; it may end anywhere. Where the photo is mirrored by its orientation, it
    begins at the other end of the stored box.
    """
    width, height = facts.block_grid
    mirrored_x, mirrored_y = _stored_flips(turn)
    return stored[2 if mirrored_x else 0] % width == 0 and stored[3 if mirrored_y else 1] % height == 0


def snap_to_blocks(source: str | os.PathLike, box: Box) -> Box:
    """The box of the same size next to ``box`` that can be cut out of a JPEG without loss.

    It is moved by half a unit of the grid at most (4 or 8 pixels), or further where it would leave the photo. Returned
    unchanged if the photo is no JPEG, or if no box of that size lies on the grid.

    Args:
        source: the photo.
        box: (x1, y1, x2, y2), whole pixels of the upright photo.

    Raises:
        PhotoError: the photo cannot be opened.
    """
    with opened_photo(source) as image:
        if source_format(image) != "JPEG":
            return box
        turn, facts, size = TURNS[orientation_of(image)], JpegFacts.of(image), image.size
    upright = turn.upright_size(size)
    stored, moved = turn.stored_box(box, upright), []
    for axis, mirrored in enumerate(_stored_flips(turn)):
        start, end, step = stored[axis], stored[axis + 2], facts.block_grid[axis]
        anchor, length = (end, end - start) if mirrored else (start, end - start)
        lowest, highest = (length, size[axis]) if mirrored else (0, size[axis] - length)
        places = range(-(-lowest // step) * step, highest + 1, step)
        if not places:
            return box
        place = min(places, key=lambda p: abs(p - anchor))
        moved.append((place - length, place) if mirrored else (place, place + length))
    (x1, x2), (y1, y2) = moved
    return _upright_box((x1, y1, x2, y2), turn, upright)


def _upright_box(stored: Box, turn: Turn, upright: tuple[int, int]) -> Box:
    x1, y1, x2, y2 = stored if not turn.swaps else (stored[1], stored[0], stored[3], stored[2])
    return Turn(False, turn.flip_x, turn.flip_y).stored_box((x1, y1, x2, y2), upright)


def _stored_flips(turn: Turn) -> tuple[bool, bool]:
    return (turn.flip_y, turn.flip_x) if turn.swaps else (turn.flip_x, turn.flip_y)


def cut_jpeg(jpeg: bytes, stored: Box, turn: Turn, decoded: np.ndarray) -> bytes | None:
    """Cut a box that lies on the grid.

    Args:
        jpeg: the file.
        stored: (x1, y1, x2, y2), pixels of the stored photo.
        turn: what makes it upright.
        decoded: (H, W) or (H, W, 3) uint8, the upright crop as it is decoded out of the file; what comes out here is
            compared with it.

    Returns:
        The file without any metadata; None where jpeglib cannot do it: CMYK, RGB components, arithmetic coding, damage.

    Raises:
        ImportError: jpeglib is not installed.
    """
    import jpeglib

    with tempfile.TemporaryDirectory(prefix="procrop_") as folder, _LOCK:
        source, target = Path(folder, "source.jpg"), Path(folder, "crop.jpg")
        try:
            source.write_bytes(jpeg)
            whole = jpeglib.read_dct(source)
            whole.load()
            if str(whole.jpeg_color_space) not in ("JCS_YCbCr", "JCS_GRAYSCALE"):
                return None
            _cut(whole, stored, turn).write_dct(target, flags=["+OPTIMIZE_CODING"])
        except (
            OSError,
            ValueError,
            IndexError,
        ):  # of jpeglib, or of a full temporary folder: a re-encoding does it
            return None
        crop = target.read_bytes()
    return crop if _shows(crop, decoded) else None


def _cut(whole, stored: Box, turn: Turn):  # noqa: ANN001, ANN202 (jpeglib comes late)
    import jpeglib

    factors = np.asarray(whole.samp_factor).reshape(-1, 2)  # (component, (vertical, horizontal))
    if len(factors) == 1:
        factors = np.ones((1, 2), dtype=factors.dtype)
    planes = [whole.Y, whole.Cb, whole.Cr][: len(factors)]
    cut = [
        _turn(_blocks(p, f, factors.max(axis=0), stored, turn), turn)
        for p, f in zip(planes, factors, strict=True)
    ]
    # a table for each component: with fewer, jpeglib takes some of them for those of other components
    tables = whole.qt[whole.quant_tbl_no]
    tables = np.ascontiguousarray(np.swapaxes(tables, 1, 2) if turn.swaps else tables)
    crop = jpeglib.from_dct(*cut, qt=tables, quant_tbl_no=np.arange(len(tables)))
    crop.samp_factor = np.ascontiguousarray(factors[:, ::-1]) if turn.swaps else factors
    size = (stored[2] - stored[0], stored[3] - stored[1])
    crop.width, crop.height = turn.upright_size(size)
    return crop


def _blocks(
    plane: np.ndarray, factor: np.ndarray, largest: np.ndarray, stored: Box, turn: Turn
) -> np.ndarray:
    """The blocks (rows, columns, 8, 8) of one component that a box covers."""
    slices = []
    for axis, mirrored in ((1, _stored_flips(turn)[1]), (0, _stored_flips(turn)[0])):  # rows, then columns
        own, all_own = int(factor[1 - axis]), int(largest[1 - axis])
        count = -(-(stored[axis + 2] - stored[axis]) * own // (8 * all_own))
        if mirrored:
            end = stored[axis + 2] // (8 * all_own) * own
            slices.append(slice(end - count, end))
        else:
            start = stored[axis] // (8 * all_own) * own
            slices.append(slice(start, start + count))
    return plane[slices[0], slices[1]]


def _turn(blocks: np.ndarray, turn: Turn) -> np.ndarray:
    """Turn a picture given by its coefficients: a mirrored cosine of odd frequency changes its sign."""
    blocks = np.array(turn.apply(blocks.swapaxes(2, 3) if turn.swaps else blocks), order="C")
    if turn.flip_x:
        blocks[..., :, 1::2] *= -1
    if turn.flip_y:
        blocks[..., 1::2, :] *= -1
    return blocks


def _shows(crop: bytes, decoded: np.ndarray) -> bool:
    """Whether a file shows the picture that it should, but for the rounding of decoders."""
    with Image.open(io.BytesIO(crop), formats=["JPEG"]) as image:
        found = np.asarray(image)
    if found.shape != decoded.shape:
        return False
    inner = (slice(_BORDER, -_BORDER), slice(_BORDER, -_BORDER))
    difference = np.abs(found[inner].astype(np.int16) - decoded[inner])
    return difference.size == 0 or int(difference.max()) <= _LARGEST_ROUNDING

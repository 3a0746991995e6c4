"""Photos as every part of the project sees them: upright RGB uint8 arrays, whatever the file held."""

import functools
import io
import logging
import math
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from .tag_directory import claims_too_much

_LOGGER = logging.getLogger(__name__)
# what Pillow says of metadata that it passes over names no file, and the pixels are read all the same
_SAID = "(Possibly )?corrupt EXIF data|Metadata Warning|Truncated File Read|Palette images with Transparency"
warnings.filterwarnings("ignore", _SAID, UserWarning, "PIL")

# suffixes that list_photos takes for photos, lower case
PHOTO_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

# what a file may hold, whatever its suffix says; formats that run an interpreter (EPS) stay out
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000", "AVIF")
_EXIF_ORIENTATION = 0x0112
_PHOTOMETRIC = 262  # TIFF's tag: 0 is white, or black
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


class PhotoError(ValueError):
    """A file that cannot be used as a photo; the message names the file, the reason and the remedy.

    Given one argument, that is the whole message: so torch re-raises what failed in a loader's worker.

    Attributes:
        path (str): the file or folder.
        reason (str): what is wrong with it.
    """

    def __init__(self, path: str | os.PathLike, reason: str = "", remedy: str = "") -> None:
        self.path = os.fspath(path)
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{self.path!r}: {reason}; {remedy}" if reason else self.path)

    def __reduce__(self) -> tuple:
        # the plain rule would pass the message alone, and lose the attributes on the way out of a process
        return PhotoError, (self.path, self.reason, self.remedy)


def read_photo(
    path: str | os.PathLike,
    max_pixels: int = 200_000_000,
    background: tuple[int, int, int] = (255, 255, 255),
) -> np.ndarray:
    """Read a photo as an upright sRGB array.

    - Of an animation, the first frame is taken.
    - EXIF orientation is applied; an invalid or broken one counts as upright.
    - An embedded colour profile is converted to sRGB; a broken one is ignored with a warning.
    - Transparency is composited on ``background``.
    - Grey values of more than 8 bit are scaled, never saturated. 16-bit integers are divided by 257.
      32-bit integers stay as they are when all lie within [0, 255], are divided by 257 within [0, 65535], and
      otherwise map their own range to [0, 255]. Floats within [0, 1] are multiplied by 255, others map their
      own finite range to [0, 255] (constant: black; NaN: black; infinities: the two ends).

    Args:
        path: the file.
        max_pixels: a photo of more pixels is refused from its header, before anything is decoded.
        background: RGB that shows through transparent pixels.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous and writable.

    Raises:
        PhotoError: the file is missing, unreadable, no image, truncated, damaged or too large.
    """
    with opened_photo(path, max_pixels) as image:
        return upright_rgb(image, path, max_pixels, background)


def upright_rgb(
    image: Image.Image,
    path: str | os.PathLike = "image",
    max_pixels: int = 200_000_000,
    background: tuple[int, int, int] = (255, 255, 255),
) -> np.ndarray:
    """The same of an image that Pillow has opened or made; the image stays as it is.

    Args:
        image: the image.
        path: its file, or what to call it in messages.
        max_pixels: as for :func:`read_photo`.
        background: as for :func:`read_photo`.

    Raises:
        PhotoError: it is truncated, damaged, too large or has no pixel.
    """
    width, height = image.size
    if not width or not height:
        raise PhotoError(path, f"{width} x {height} pixels are no photo", "give an image with pixels")
    _check_pixels(path, image, max_pixels)
    try:
        image.load()
        # asked after loading: Pillow turns TIFF files itself, and then drops their tag
        orientation = orientation_of(image)
        rgb = _to_rgb(path, image, background)
    except MemoryError:
        reason = f"{width} x {height} pixels do not fit into memory"
        raise PhotoError(path, reason, "scale the photo down") from None
    except Exception as error:  # OSError, SyntaxError, struct.error, EOFError, ... depending on the format
        raise damaged(path, error) from error
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    return np.array(rgb, dtype=np.uint8, order="C")


def read_photo_size(path: str | os.PathLike) -> tuple[int, int]:
    """Width and height of the upright photo, read from the header alone.

    Raises:
        PhotoError: the file is missing, unreadable or no image.
    """
    with opened_photo(path) as image:
        width, height = image.size
        # Pillow reports the upright size of a TIFF file
        turned = image.format != "TIFF" and orientation_of(image) >= 5
    return (height, width) if turned else (width, height)


def list_photos(root: str | os.PathLike, required: bool = True) -> list[Path]:
    """All photos below a folder, recognised by suffix in either case, sorted by path.

    Every folder is entered once, so a link that leads back up does no harm. A link to a missing file is
    listed: it fails with its name when it is read. The ``._`` files of macOS are no photos.

    Args:
        root: the folder.
        required: whether a folder without a photo is an error.

    Raises:
        PhotoError: the folder does not exist, cannot be listed or holds no photo.
    """
    root = Path(root)
    if not root.is_dir():
        reason = "this is a file, not a folder" if root.exists() else "the folder does not exist"
        raise PhotoError(root, reason, "name a folder of photos")
    photos = sorted(_walk(root, set()))
    if not photos and required:
        suffixes = ", ".join(PHOTO_SUFFIXES)
        raise PhotoError(
            root, "the folder holds no photo", f"put files into it that end in one of {suffixes}"
        )
    return photos


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise PhotoError(
            folder, f"the folder cannot be listed ({error})", "change its permissions"
        ) from error
    # links last: a folder is found under its own name before it is found under a link's
    for entry in sorted(entries, key=Path.is_symlink):
        if entry.is_dir():
            yield from _walk(entry, seen)
        elif entry.name.startswith(
            "._"
        ):  # macOS keeps a file's attributes so on other file systems: no picture
            continue
        elif entry.suffix.lower() in PHOTO_SUFFIXES and (entry.is_file() or entry.is_symlink()):
            yield entry


class _SizeLimit:
    """Pillow's own limit on the size of photos, lifted while at least one thread reads a photo here.

    It is one global number, and would cap a larger ``max_pixels``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._limit: int | None = None

    @contextmanager
    def lifted(self) -> Iterator[None]:
        with self._lock:
            if self._readers == 0:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if self._readers == 0:
                    Image.MAX_IMAGE_PIXELS = self._limit


_SIZE_LIMIT = _SizeLimit()


@contextmanager
def opened_photo(path: str | os.PathLike, max_pixels: int | None = None) -> Iterator[Image.Image]:
    """Open a photo's header; what goes wrong with the file while it is open becomes a PhotoError too.

    Args:
        path: the file.
        max_pixels: a photo of more pixels is refused.

    Yields:
        Pillow's image, not decoded yet.

    Raises:
        PhotoError: the file is missing, unreadable, no image or too large.
    """
    try:
        _check_file(path)
        with open(path, "rb") as file, _SIZE_LIMIT.lifted():
            image = _read_header(path, file)
            if max_pixels is not None:
                _check_pixels(path, image, max_pixels)
            yield image
    except PhotoError:
        raise
    except FileNotFoundError:
        raise PhotoError(
            path, "the file does not exist", "check the name, or list the folder again"
        ) from None
    except PermissionError:
        raise PhotoError(path, "the file may not be read", "change its permissions") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise PhotoError(path, f"the file cannot be read ({error})", "check the name and the disk") from error


def _check_pixels(path: str | os.PathLike, image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        reason = f"{width} x {height} pixels are more than the limit of {max_pixels}"
        raise PhotoError(path, reason, "scale it down, or raise max_pixels if you trust the file")


def _check_file(path: str | os.PathLike) -> None:
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise PhotoError(path, "this is a folder, not a photo", "name a file in it")
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        raise PhotoError(path, "this is no regular file", "copy the photo into a file")
    if status.st_size == 0:
        raise PhotoError(path, "the file is empty (zero bytes)", "copy or download it again")


def _read_header(path: str | os.PathLike, file: io.BufferedReader) -> Image.Image:
    if claims_too_much(file):
        raise PhotoError(
            path, "its tags claim more bytes than the file has", "save it anew with another program"
        )
    try:
        return Image.open(file, formats=_formats())
    except UnidentifiedImageError:
        remedy = "convert it to JPEG or PNG, or take it out of the folder"
        raise PhotoError(path, "the file holds no image of a known format", remedy) from None
    except Exception as error:  # a damaged header makes Pillow's plugins raise nearly anything
        raise damaged(path, error) from error


@functools.cache
def _formats() -> list[str]:
    Image.init()  # loads the plugins; some builds of Pillow lack one
    return [name for name in _FORMATS if name in Image.OPEN]


def damaged(path: str | os.PathLike, error: Exception) -> PhotoError:
    """What to raise when a decoder fails with any error of its own."""
    reason = f"the image is truncated or damaged ({type(error).__name__}: {error})"
    return PhotoError(path, reason, "copy or download it again")


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 when there is none, or none that makes sense."""
    if claims_too_much(image.info.get("exif", b"").removeprefix(b"Exif\0\0")):
        return 1
    try:
        value = int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # broken EXIF says nothing about the pixels
        return 1
    return value if 1 <= value <= 8 else 1


def _to_rgb(path: str | os.PathLike, image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    profile = image.info.get("icc_profile")
    alpha = None
    if image.mode in _WIDE_MODES:
        image = Image.fromarray(scale_wide(wide_values(image)))
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        # a grey photo stays grey until its profile, made for grey, has been applied
        image = image.convert("L") if image.mode in ("L", "LA") else rgba.convert("RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("RGB", "CMYK", "L", "LAB"):
        image = image.convert("RGB")
    rgb = to_srgb(path, image, profile)
    if alpha is not None:
        canvas = Image.new("RGB", rgb.size, tuple(background))
        canvas.paste(rgb, mask=alpha)
        return canvas
    return rgb


def to_srgb(path: str | os.PathLike, image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert L, RGB, CMYK or LAB to RGB, through the colour profile; a broken one is ignored with a warning."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
            _LOGGER.warning("%r: its colour profile is broken and ignored (%s)", os.fspath(path), error)
    return image.convert("RGB")


def wide_values(image: Image.Image) -> np.ndarray:
    """Grey values of more than 8 bit, (H, W); Pillow forgets to invert those of TIFF files whose zero is white."""
    values = np.asarray(image)
    inverted = image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == 0 and values.dtype.itemsize == 2
    return 65535 - values if inverted else values


def scale_wide(values: np.ndarray) -> np.ndarray:
    """Scale (H, W) integers or floats to uint8 by the rule that :func:`read_photo` states."""
    integer, sixteen_bit = values.dtype.kind != "f", values.dtype.itemsize == 2
    values = values.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if sixteen_bit or (integer and low >= 0 and 255 < high <= 65535):
        low, high = 0.0, 65535.0
    elif integer and low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif not integer and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    span = high - low if high > low and math.isfinite(high - low) else 1.0
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return np.rint(np.clip((values - low) / span, 0, 1) * 255).astype(np.uint8)

"""Seams: borders at which a photo's grain, sharpness, colour or compression changes and its content does not."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from .boxes import clip_boxes


def random_seam_box(
    size: tuple[int, int],
    rng: np.random.Generator,
    area: tuple[float, float] = (0.1, 0.5),
    ratio: tuple[float, float] = (0.5, 2.0),
    margin: float = 0.05,
) -> np.ndarray:
    """A random rectangle, whose sides keep away from the photo's edges.

    Args:
        size: (width, height) of the photo in pixels.
        rng: Draws it.
        area: Least and largest share of the photo's area; less where the margin leaves no room.
        ratio: Least and largest width / height, relative to the photo's own.
        margin: Least distance from the photo's edges, as a share of its width or height, below one half.

    Returns:
        (4,) float64 xyxy, whole pixels.

    Raises:
        ValueError: The photo is too small to hold such a rectangle.
    """
    share = rng.uniform(*area)
    stretch = np.exp(rng.uniform(*np.log(ratio)))
    # shares of width and height whose product is the area
    room = 1 - 2 * margin
    extent = np.minimum(np.sqrt([share * stretch, share / stretch]), room)
    start = margin + rng.random(2) * (room - extent)
    scale = np.array(size, dtype=np.float64)
    low, high = np.rint(start * scale), np.rint((start + extent) * scale)
    if (high - low < 1).any():
        raise ValueError(f"a photo of {size[0]} x {size[1]} pixels is too small for a seam")
    return np.concatenate([low, high])


def paste_seam(
    photo: np.ndarray, box: np.ndarray, kind: str, rng: np.random.Generator, inside: bool = False
) -> np.ndarray:
    """Alter a photo slightly on one side of a rectangle's border.

    Args:
        photo: (H, W, 3) uint8 RGB.
        box: (4,) xyxy whole pixels.
        kind: One of `SEAM_KINDS`: "blur", "colour", "jpeg" (encoded once more) or "noise". How much is drawn.
        rng: Draws it.
        inside: Alter the inside of the rectangle; else the outside, as an outpainter does.

    Returns:
        (H, W, 3) uint8, a copy, equal to the photo on the other side of the border.

    Raises:
        ValueError: Unknown kind, or a rectangle without area in the photo.
    """
    if kind not in _KINDS:
        raise ValueError(f"kind of a seam must be one of {SEAM_KINDS}, got {kind!r}")
    height, width = photo.shape[:2]
    x1, y1, x2, y2 = np.rint(clip_boxes(box, (width, height))).astype(int)
    if x1 >= x2 or y1 >= y2:
        raise ValueError(
            f"box {np.asarray(box).tolist()} has no area in a photo of {width} x {height} pixels"
        )
    altered = _KINDS[kind](photo, rng)
    under, over = (photo, altered) if inside else (altered, photo)
    seamed = under.copy()
    seamed[y1:y2, x1:x2] = over[y1:y2, x1:x2]
    return seamed


def jpeg_encoded(photo: np.ndarray, quality: int) -> np.ndarray:
    """A photo (H, W, 3) uint8 RGB after JPEG, encoded and decoded, with Pillow's subsampled colours."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=int(quality))
    with Image.open(file) as image:
        return np.array(image)


def _blur(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    # half a pixel, below which nothing changes, to two and a half for a photo of 1,000
    sigma = rng.uniform(0.5, max(1.0, 0.0025 * max(photo.shape[:2])))
    return np.array(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(sigma)))


def _colour(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    # gain and shift of one sign and never near 0: at no grey level do they cancel out
    sign = rng.choice([-1, 1], 3)
    gain, shift = 1 + sign * rng.uniform(0, 0.04, 3), sign * rng.uniform(2, 8, 3)
    return np.rint(photo * gain + shift).clip(0, 255).astype(np.uint8)


def _jpeg(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return jpeg_encoded(photo, int(rng.integers(30, 75)))


def _noise(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.standard_normal((*photo.shape[:2], 1), dtype=np.float32) * np.float32(rng.uniform(2, 6))
    return np.rint(photo + drawn).clip(0, 255).astype(np.uint8)


_KINDS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "blur": _blur,
    "colour": _colour,
    "jpeg": _jpeg,
    "noise": _noise,
}
SEAM_KINDS = tuple(_KINDS)

"""SYNTHETIC bad photos, made from good ones by pasting: for demonstrations and tests, no outpainter's real faults."""

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from procrop.io import list_photos, read_photo
from procrop.io.atomic import write_bytes
from procrop.io.progress import progress

_SIDE, _QUALITY = 512, 90


def stand_in(photo: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """A synthetic bad photo.

    Args:
        photo: (H, W, 3) uint8 RGB, both sides at least 32.
        kind: "tiles": parts of it pasted over it with hard edges; "grid": a collage of small copies with lines
            between them; "texture": one small part repeated over a large area; "frame": a plain frame around it.
        rng: Draws what and where.

    Returns:
        (H, W, 3) uint8, a copy.

    Raises:
        ValueError: Unknown kind, or a photo that is too small.
    """
    if kind not in _KINDS:
        raise ValueError(f"kind of a stand-in must be one of {STAND_IN_KINDS}, got {kind!r}")
    if min(photo.shape[:2]) < 32:
        raise ValueError(f"a photo of {photo.shape[1]} x {photo.shape[0]} pixels is too small for a stand-in")
    return _KINDS[kind](photo.copy(), rng)


def write_stand_ins(
    photos: str | os.PathLike, out: str | os.PathLike, seed: int = 0, kinds: Sequence[str] | None = None
) -> int:
    """Write a folder to train on: each photo as ``good/<number>_0.jpg``, and a stand-in as ``bad/<number>_1.jpg``.

    Both are brought to a long side of 512 pixels and encoded alike, so that neither size nor compression tells them
    apart. Kinds come in turn.

    Args:
        photos: Folder of good photos.
        out: Folder to write; one with a folder ``good`` or ``bad`` is refused.
        seed: Decides the stand-ins.
        kinds: Kinds to make; all by default.

    Returns:
        The number of photos.

    Raises:
        PhotoError: There are none, or one cannot be read.
        ValueError: ``out`` is taken, or a kind is unknown.
    """
    out, kinds = Path(out), tuple(STAND_IN_KINDS if kinds is None else kinds)
    for name in ("good", "bad"):
        if (out / name).exists():
            raise ValueError(
                f"{out / name}: exists; stand-ins are not mixed with other photos, name a new folder"
            )
    paths = list_photos(photos)
    for i, path in enumerate(progress(paths, len(paths), "stand-ins")):
        photo = Image.fromarray(read_photo(path))
        photo.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        good = np.asarray(photo)
        bad = stand_in(good, kinds[i % len(kinds)], np.random.default_rng([seed, i]))
        write_bytes(out / "good" / f"{i:05d}_0.jpg", _jpeg(good))
        write_bytes(out / "bad" / f"{i:05d}_1.jpg", _jpeg(bad))
    return len(paths)


def _jpeg(photo: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _part(photo: np.ndarray, least: float, most: float, rng: np.random.Generator) -> np.ndarray:
    """A random rectangle whose sides are shares of the photo's between two limits, as a copy."""
    height, width = photo.shape[:2]
    h, w = (max(4, int(rng.uniform(least, most) * side)) for side in (height, width))
    y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    return photo[y : y + h, x : x + w].copy()


def _paste(photo: np.ndarray, part: np.ndarray, rng: np.random.Generator) -> None:
    h, w = part.shape[:2]
    y, x = (int(rng.integers(0, side - own + 1)) for side, own in zip(photo.shape[:2], (h, w), strict=True))
    photo[y : y + h, x : x + w] = part


def _tiles(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    parts = [_part(photo, 0.2, 0.45, rng) for _ in range(rng.integers(3, 7))]
    for part in parts:
        _paste(photo, part[:, ::-1] if rng.random() < 0.5 else part, rng)
    return photo


def _grid(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = photo.shape[:2]
    rows, columns = rng.integers(2, 4, 2)
    line = max(1, round(rng.uniform(0.005, 0.02) * max(height, width)))
    sheet = np.full_like(photo, rng.choice([0, 255]))
    ys, xs = (np.linspace(0, side, n + 1).astype(int) for side, n in ((height, rows), (width, columns)))
    source = Image.fromarray(photo)
    for y1, y2 in zip(ys[:-1], ys[1:], strict=True):
        for x1, x2 in zip(xs[:-1], xs[1:], strict=True):
            sheet[y1 + line : y2, x1 + line : x2] = source.resize((x2 - x1 - line, y2 - y1 - line))
    return sheet


def _texture(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = photo.shape[:2]
    tile = _part(photo, 0.08, 0.2, rng)
    h, w = (int(rng.uniform(0.5, 0.9) * side) for side in (height, width))
    repeats = (-(-h // tile.shape[0]), -(-w // tile.shape[1]), 1)
    _paste(photo, np.tile(tile, repeats)[:h, :w], rng)
    return photo


def _frame(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = photo.shape[:2]
    edge = max(2, round(rng.uniform(0.06, 0.15) * min(height, width)))
    framed = np.full_like(photo, rng.choice([0, 255]))
    framed[edge:-edge, edge:-edge] = photo[edge:-edge, edge:-edge]
    return framed


_KINDS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "tiles": _tiles,
    "grid": _grid,
    "texture": _texture,
    "frame": _frame,
}
STAND_IN_KINDS = tuple(_KINDS)

"""Pixels as a file holds them, at their own depth and in their own colour space."""

import dataclasses
import os
from dataclasses import dataclass

import numpy as np
from PIL import Image

from procrop.io.photo import scale_wide, to_srgb, wide_values
from procrop.photofile.turn import Box, Turn

# Pillow's modes -> what a raster calls the same pixels; all other modes are converted
_SPACES = {"I": "L", "I;16": "L", "I;16L": "L", "I;16B": "L", "I;16N": "L", "F": "L"}
_KEPT = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB")
_CONVERTED = {"RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB", "La": "LA"}
PROFILE_OF_SPACE = {
    "1": b"GRAY",
    "L": b"GRAY",
    "LA": b"GRAY",
    "P": b"RGB ",
    "RGB": b"RGB ",
    "RGBA": b"RGB ",
    "CMYK": b"CMYK",
    "LAB": b"Lab ",
}


@dataclass(frozen=True)
class Raster:
    """Pixels.

    Attributes:
        values: (H, W), or (H, W, C) where the space has several channels; bool for space 1, uint8, uint16, int32 or
            float32 for L, uint8 for P, CMYK and LAB, uint8 or uint16 for the others.
        space: 1, L, LA, P, RGB, RGBA, CMYK or LAB, as Pillow names them; L of any depth.
        palette: (mode, bytes) of P.
        transparency: what Pillow calls so: the transparent colour of L and RGB, an index or a table of alphas of P.
    """

    values: np.ndarray
    space: str
    palette: tuple[str, bytes] | None = None
    transparency: int | bytes | tuple[int, ...] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.values.shape[1], self.values.shape[0]

    @property
    def deep(self) -> bool:
        """Whether a channel has more than eight bits."""
        return self.values.dtype.itemsize > 1

    def cut(self, box: Box, turn: Turn) -> "Raster":
        """The pixels of a box (x1, y1, x2, y2) of the stored photo, upright."""
        x1, y1, x2, y2 = box
        return dataclasses.replace(self, values=np.ascontiguousarray(turn.apply(self.values[y1:y2, x1:x2])))

    def to_image(self) -> Image.Image:
        """As Pillow's image; only L may be deep.

        Raises:
            ValueError: Pillow has no mode for pixels of this depth.
        """
        if self.deep and self.space != "L":
            raise ValueError(f"Pillow has no {self.values.dtype} {self.space}")
        if self.deep or self.space == "1":
            return Image.fromarray(self.values)
        image = Image.frombytes(self.space, self.size, np.ascontiguousarray(self.values).tobytes())
        if self.palette is not None:
            image.putpalette(self.palette[1], self.palette[0])
        if self.transparency is not None:
            image.info["transparency"] = self.transparency
        return image

    def with_alpha(self) -> "Raster":
        """The same picture with a transparent colour, or a palette, spelt out as channels."""
        if self.space != "P" and self.transparency is None:
            return self
        if not self.deep:
            image = self.to_image()
            opaque = "L" if self.space == "L" else "RGB"
            alpha = opaque + "A" if image.has_transparency_data else opaque
            return from_image(image.convert("RGBA").convert(alpha))
        opaque = np.where(self.values == self.transparency, 0, 65535).astype(self.values.dtype)
        return Raster(np.dstack([self.values, opaque]), "LA")

    def in_eight_bits(self) -> "Raster":
        """Grey by the rule of :func:`procrop.io.read_photo`, 16-bit colours divided by 257 and rounded."""
        if not self.deep:
            return self
        if self.space == "L":
            return dataclasses.replace(self.with_alpha(), values=scale_wide(self.values), transparency=None)
        return dataclasses.replace(
            self, values=((self.values.astype(np.uint32) + 128) // 257).astype(np.uint8)
        )

    def in_rgb(self, path: str | os.PathLike, profile: bytes | None) -> "Raster":
        """Eight bits and RGB, or RGBA where something is transparent, converted to sRGB through the profile."""
        plain = self.with_alpha().in_eight_bits()
        image = plain.to_image()
        alpha = image.getchannel("A") if plain.space in ("LA", "RGBA") else None
        colours = {"LA": "L", "RGBA": "RGB", "1": "L"}.get(plain.space, plain.space)
        rgb = to_srgb(path, image.convert(colours), profile)
        if alpha is not None:
            rgb.putalpha(alpha)
        return from_image(rgb)

    def on_white(self) -> "Raster":
        """Transparent pixels of an eight-bit raster composited on white."""
        plain = self.with_alpha()
        if plain.space not in ("LA", "RGBA"):
            return plain
        image = plain.to_image()
        canvas = Image.new(plain.space[:-1], plain.size, "white")
        canvas.paste(image.convert(plain.space[:-1]), mask=image.getchannel("A"))
        return from_image(canvas)


def from_image(image: Image.Image) -> Raster:
    """The pixels of a decoded image."""
    mode = image.mode
    if mode not in _SPACES and mode not in _KEPT:
        image = image.convert(_CONVERTED.get(mode, "RGBA"))
        mode = image.mode
    values = wide_values(image) if mode in _SPACES else np.asarray(image)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    palette = None
    if mode == "P":
        kind = image.palette.mode if image.palette.mode in ("RGB", "RGBA") else "RGB"
        palette = (kind, image.palette.tobytes() if kind == image.palette.mode else bytes(image.getpalette()))
    return Raster(values, _SPACES.get(mode, mode), palette, image.info.get("transparency"))

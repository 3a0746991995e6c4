"""Colours and textures in words."""

import colorsys

import numpy as np

_HUES = (
    (15, "red"),
    (40, "orange"),
    (68, "yellow"),
    (165, "green"),
    (200, "turquoise"),
    (260, "blue"),
    (300, "violet"),
    (340, "pink"),
    (360, "red"),
)
# mean difference of neighbouring pixels in grey values, up to which an area is called so
_PLAIN, _TEXTURED = 3.0, 8.0


def colour_name(rgb: np.ndarray) -> str:
    """A colour (3,) in [0, 255] in one or two words, e.g. "dark green"."""
    red, green, blue = (float(v) / 255 for v in rgb)
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    if value < 0.12:
        return "black"
    if saturation < 0.12 or value * saturation < 0.06:
        return (
            "white"
            if value > 0.88
            else "light grey"
            if value > 0.65
            else "grey"
            if value > 0.3
            else "dark grey"
        )
    name = next(word for limit, word in _HUES if hue * 360 <= limit)
    if name in ("red", "orange", "yellow") and value < 0.65 and saturation < 0.85:
        name = "brown"
    if value < 0.35:
        return f"dark {name}"
    return f"pale {name}" if saturation < 0.3 and value > 0.6 else name


def texture_name(area: np.ndarray) -> str:
    """An area (h, w, 3) uint8 RGB in words: its mean colour and how busy it is, e.g. "busy green texture"."""
    colour = colour_name(area.reshape(-1, 3).sum(axis=0, dtype=np.int64) / (area.size / 3))
    grey = area.sum(axis=2, dtype=np.int64)
    steps = [np.abs(np.diff(grey, axis=axis)) for axis in (0, 1)]
    mean = sum(int(s.sum()) for s in steps) / max(1, sum(s.size for s in steps)) / 3
    if mean <= _PLAIN:
        return f"plain {colour}"
    return f"textured {colour}" if mean <= _TEXTURED else f"busy {colour} texture"


def dominant_colours(photo: np.ndarray, most: int = 3) -> tuple[str, ...]:
    """Names of the colours that fill most of a photo (h, w, 3) uint8 RGB, each at least a tenth, largest first."""
    coarse = photo // 32
    code = (coarse[..., 0].astype(int) * 8 + coarse[..., 1]) * 8 + coarse[..., 2]
    counts = np.bincount(code.ravel(), minlength=512)
    shares: dict[str, int] = {}
    for place in np.flatnonzero(counts):
        rgb = np.array([place // 64, place // 8 % 8, place % 8]) * 32 + 16
        name = colour_name(rgb)
        shares[name] = shares.get(name, 0) + int(counts[place])
    ranked = sorted(shares, key=lambda name: (-shares[name], name))
    return tuple(name for name in ranked[:most] if shares[name] >= 0.1 * code.size)

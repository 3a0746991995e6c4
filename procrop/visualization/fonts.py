"""Text on pictures: a font that is always there, and labels that keep to their width."""

import importlib.util
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

_ELLIPSIS = "…"


@lru_cache(maxsize=32)
def load_font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a sans-serif font of ``size`` pixels.

    DejaVu Sans, which comes with matplotlib and covers Latin, Greek and Cyrillic, is taken where it is installed,
    else the font inside Pillow. Matplotlib is looked up, not imported.
    """
    spec = importlib.util.find_spec("matplotlib")
    if spec is not None and spec.submodule_search_locations:
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        path = Path(spec.submodule_search_locations[0], "mpl-data", "fonts", "ttf", name)
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def printable(text: str) -> str:
    """Replace what a font cannot show (line breaks, control characters, undecodable bytes of a name) by ``?``."""
    return "".join(char if char.isprintable() else "?" for char in text)


def fit_text(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    """Shorten ``text`` in the middle until it is at most ``width`` pixels wide.

    The middle goes because names of photos differ at their ends (folder, number, suffix).

    Args:
        text: One line; unprintable characters become ``?``.
        font: The font it will be drawn in.
        width: Pixels to keep to.

    Returns:
        The text, the shortened text with an ellipsis, or an empty string if not even that fits.
    """
    text = printable(text)
    if font.getlength(text) <= width:
        return text
    low, high = 0, len(text) - 1  # most characters that can stay: found by bisection
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(_shorten(text, middle)) <= width:
            low = middle
        else:
            high = middle - 1
    shortened = _shorten(text, low)
    return shortened if font.getlength(shortened) <= width else ""


def _shorten(text: str, keep: int) -> str:
    head = (keep + 1) // 2
    tail = keep - head
    return text[:head] + _ELLIPSIS + (text[-tail:] if tail else "")

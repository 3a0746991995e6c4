"""Text on pictures: a font that is always there, and labels that keep to their width."""

import importlib.util
import unicodedata
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


def wrap_text(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float, lines: int, indent: float = 0
) -> list[str]:
    """Break a text into lines, at spaces or, where a word is longer than a line, inside the word.

    Args:
        text: Line breaks in it count as spaces; characters that only steer layout are left out, other unprintable ones
            become ``?``.
        font: The font it will be drawn in.
        width: Pixels that lines keep to.
        lines: The most lines; a longer text ends in an ellipsis.
        indent: Pixels by which the first line is shorter.

    Returns:
        At least one line and at most ``lines``; the first is empty where nothing fits beside the indent.
    """
    text = "".join(char for char in " ".join(text.split()) if unicodedata.category(char) != "Cf")
    rest = printable(text)
    found: list[str] = []
    while (rest or not found) and len(found) < lines:
        room = width - (0 if found else indent)
        if len(found) == lines - 1:
            found.append(_cut_end(rest, font, room))
            break
        line = rest[: _break_at(rest, font, room, width)]
        found.append(line.rstrip())
        rest = rest[len(line) :].lstrip()
    return found


def _break_at(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float, width: float
) -> int:
    """How many characters of the text make up a line of ``room`` pixels, the next one having ``width``."""
    count = _fitting(text, font, room)
    if count == len(text) or text[count] == " ":
        return count
    space = text.rfind(" ", 0, count)
    word = text[space + 1 :].partition(" ")[0]
    # a word that no line takes whole is broken here, except that every line takes a character
    if font.getlength(word) > width:
        return max(count, 1 if room >= width else 0)
    return space + 1


def _cut_end(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    """The beginning of a text, with an ellipsis if it does not fit in ``width`` pixels."""
    if font.getlength(text) <= width:
        return text
    count = _fitting(text, font, width - font.getlength(_ELLIPSIS))
    return text[:count].rstrip() + _ELLIPSIS if font.getlength(_ELLIPSIS) <= width else ""


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> int:
    """The most characters from the beginning of the text that fit in ``width`` pixels."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low


def _shorten(text: str, keep: int) -> str:
    head = (keep + 1) // 2
    tail = keep - head
    return text[:head] + _ELLIPSIS + (text[-tail:] if tail else "")

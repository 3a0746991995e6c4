"""The caption of a photo as a strip of lines, for sheets and below overlays."""

from PIL import Image, ImageDraw

from procrop.visualization.fonts import fit_text, load_font, wrap_text
from procrop.visualization.palette import GREY, INK, PAPER

_LINES = 2


def caption_strip(caption: str, source: str, width: int, size: int = 14, margin: int = 0) -> Image.Image:
    """Draw a caption in at most two lines, after a grey word on where it came from.

    Args:
        caption: what is said of the photo; "" draws that there is no caption.
        source: where it came from, "given" or "generated".
        width: width of the strip in pixels.
        size: size of the letters in pixels.
        margin: pixels that stay empty on the left and on the right.

    Returns:
        An RGB image of this width, as high as its lines.
    """
    label = f"caption ({source}):" if caption else "no caption"
    return labelled_strip(label, caption, width, size, margin)


def labelled_strip(
    label: str, text: str, width: int, size: int = 14, margin: int = 0, lines: int = _LINES
) -> Image.Image:
    """Draw a text in at most so many ``lines``, after a grey label; the rest is as for :func:`caption_strip`."""
    font, room, pitch = load_font(size), max(1, width - 2 * margin), round(1.4 * size)
    label = fit_text(label, font, room)
    indent = font.getlength(label + " ") if label else 0
    lines = wrap_text(text, font, room, lines, indent) if text else [""]
    strip = Image.new("RGB", (width, pitch * len(lines)), PAPER)
    draw = ImageDraw.Draw(strip)
    draw.text((margin, pitch / 2), label, GREY, font, anchor="lm")
    for number, line in enumerate(lines):
        left = margin + (indent if number == 0 else 0)
        draw.text((left, pitch * (number + 0.5)), line, INK, font, anchor="lm")
    return strip

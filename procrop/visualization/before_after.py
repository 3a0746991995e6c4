"""A photo beside its crop."""

import numpy as np
from PIL import Image, ImageDraw

from procrop.visualization.crop_overlay import cut_crop, scale_to_fit
from procrop.visualization.fonts import fit_text, load_font
from procrop.visualization.palette import GREY, INK, PAPER

_GAP, _LABEL = 18, 34


def draw_before_after(photo: np.ndarray, crop: np.ndarray, room: tuple[int, int] = (640, 480)) -> Image.Image:
    """Draw a photo on the left and its crop on the right, each with its size under it.

    Args:
        photo: (H, W, 3) uint8 RGB.
        crop: (4,) xyxy in pixels of ``photo``, or the crop itself, (h, w, 3) uint8 RGB.
        room: (width, height) in pixels that each of the two is scaled into.

    Returns:
        An RGB image, as wide and high as it needs to be.

    Raises:
        ValueError: ``crop`` is neither of the two.
    """
    crop = np.asarray(crop)
    if crop.ndim != 3:
        crop = cut_crop(photo, crop)
    pictures = [scale_to_fit(photo, room), scale_to_fit(crop, room)]
    labels = [(word, f"{p.shape[1]} × {p.shape[0]}") for word, p in (("before", photo), ("after", crop))]
    bold, font = load_font(14, bold=True), load_font(14)
    # a column is as wide as its words, where the picture is a narrow strip
    words = [round(bold.getlength(word) + 10 + font.getlength(size)) + 1 for word, size in labels]
    widths = [max(picture.width, need) for picture, need in zip(pictures, words, strict=True)]
    height = max(picture.height for picture in pictures)
    canvas = Image.new("RGB", (sum(widths) + 3 * _GAP, height + _GAP + _LABEL), PAPER)
    draw, left = ImageDraw.Draw(canvas), _GAP
    for picture, width, (word, size) in zip(pictures, widths, labels, strict=True):
        canvas.paste(picture, (left, _GAP + (height - picture.height) // 2))
        middle = _GAP + height + _LABEL // 2
        draw.text((left, middle), word, INK, bold, anchor="lm")
        after = left + bold.getlength(word) + 10
        draw.text((after, middle), fit_text(size, font, width), GREY, font, anchor="lm")
        left += width + _GAP
    return canvas

"""A sheet of expanded photos: known area and initial crops drawn, and cut out."""

from PIL import ImageDraw

from procrop.visualization.contact_sheet import ContactSheet
from procrop.visualization.fonts import load_font
from procrop.visualization.paged_sheet import GREY, HEADER, MARGIN


class GenerationSheet(ContactSheet):
    """`ContactSheet` whose rows hold the known area as first crop and initial crops behind it."""

    def draw_columns(self, draw: ImageDraw.ImageDraw) -> None:
        columns = [(MARGIN, "expanded photo"), (self._crop_left(0), "1: known area, the label")]
        columns += [(self._crop_left(rank), f"{rank + 1}: initial crop") for rank in range(1, self.crops)]
        for left, text in columns:
            draw.text((left, HEADER - 18), text, GREY, load_font(14), anchor="lm")

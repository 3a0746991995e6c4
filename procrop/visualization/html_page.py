"""A sheet as one HTML file that needs nothing else: its header stays in sight, its rows are loaded as they come."""

import base64
import html
import io
from collections.abc import Sequence

from PIL import Image

from procrop.visualization.fonts import printable

HTML_SUFFIXES = (".html", ".htm")
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ margin: 0 auto; width: {width}px; background: #fbfbf9 }}
img {{ display: block }}
img:first-of-type {{ position: sticky; top: 0; border-bottom: 1px solid #ddddd9 }}
</style>
{pictures}
</html>
"""


def html_page(title: str, header: Image.Image, rows: Sequence[Image.Image]) -> str:
    """Text of a page of pictures.

    Args:
        title: Title of the page.
        header: Stays at the top while the rows move.
        rows: Pictures of the header's width.
    """
    lazy = 'loading="lazy" '
    pictures = [picture_tag(header, html.escape(title), "PNG", more=lazy)]
    pictures += [picture_tag(row, "", quality=90, more=lazy) for row in rows]
    return _PAGE.format(title=html.escape(title), width=header.width, pictures="\n".join(pictures))


def safe_text(text: str) -> str:
    """A text of somebody else's, a file's name for instance, for a page: escaped, and without control characters."""
    return html.escape(printable(text))


def picture_tag(picture: Image.Image, alt: str, kind: str = "JPEG", quality: int = 82, more: str = "") -> str:
    """A picture as an ``<img>`` that holds its own bytes.

    Args:
        picture: Shown in its own size.
        alt: What it says in words, already escaped.
        kind: "JPEG" or "PNG".
        quality: Of a JPEG.
        more: Further attributes.
    """
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=quality)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<img {size} alt="{alt}" {more}src="data:image/{kind.lower()};base64,{data}">'

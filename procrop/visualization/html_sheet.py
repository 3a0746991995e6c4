"""A sheet of pictures as one HTML file that needs nothing else: thumbnails inside, a page at a time."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from procrop.io import atomic_write
from procrop.visualization.html_page import picture_tag, safe_text

_PER_PAGE = 60
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ margin: 0 24px 48px; background: #fbfbf9; color: #1b1b1b; font: 14px/1.45 system-ui, sans-serif }}
header {{ position: sticky; top: 0; padding: 14px 0 10px; background: #fbfbf9; border-bottom: 1px solid #ddddd9;
  display: flex; flex-wrap: wrap; gap: 6px 24px; align-items: baseline }}
h1 {{ font-size: 20px; margin: 0 }} .grey {{ color: #5f6368 }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(360px, 1fr)); gap: 24px 20px; padding: 20px 0 }}
main[hidden] {{ display: none }} figure {{ margin: 0 }} figure img {{ max-width: 100%; height: auto; display: block }}
figcaption b {{ overflow-wrap: anywhere }} .alarm {{ color: #a82014 }}
nav button {{ font: inherit; padding: 2px 12px }}
</style></head><body>
<header><h1>{title}</h1><span class="grey">{note}</span>
<nav><button id="back" title="left arrow key">back</button> <span id="place"></span>
<button id="on" title="right arrow key">on</button></nav></header>
"""
_FOOT = """<script>
const pages = [...document.querySelectorAll("main")];
const find = id => document.getElementById(id);
let shown = Math.min(Math.max((parseInt(location.hash.slice(1)) || 1) - 1, 0), pages.length - 1);
function show(step) {
  shown = Math.min(Math.max(shown + step, 0), pages.length - 1);
  pages.forEach((page, i) => { page.hidden = i !== shown; });
  find("place").textContent = `page ${shown + 1} of ${pages.length}`;
  find("back").disabled = shown === 0;
  find("on").disabled = shown === pages.length - 1;
  if (step) { location.replace("#" + (shown + 1)); scrollTo(0, 0); }
}
find("back").onclick = () => show(-1);
find("on").onclick = () => show(1);
onkeydown = event => { const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]; if (step) show(step); };
if (pages.length < 2) document.querySelector("nav").hidden = true;
show(0);
</script></body></html>
"""


@dataclass
class Card:
    """One picture of the sheet with its lines.

    Attributes:
        title: In bold under the picture.
        picture: (h, w, 3) uint8 RGB, shown in its own size.
        lines: Grey lines under the title.
        alarm: A red line, or nothing.
    """

    title: str
    picture: np.ndarray
    lines: tuple[str, ...] = ()
    alarm: str = ""


def write_html_sheet(
    path: str | os.PathLike, title: str, note: str, cards: Iterable[Card], per_page: int = _PER_PAGE
) -> int:
    """Write the sheet; cards are taken one by one, so it may be larger than memory.

    Args:
        path: The .html file; replaced when all cards are in it.
        title: Heading.
        note: What stands beside it.
        cards: What to show.
        per_page: Cards of a page.

    Returns:
        How many cards there were.
    """
    count = 0
    with atomic_write(path, "w") as file:
        file.write(_HEAD.format(title=safe_text(title), note=safe_text(note)))
        for count, card in enumerate(cards, start=1):
            if count % per_page == 1 or per_page == 1:
                file.write("</main>\n<main hidden>\n" if count > 1 else "<main>\n")
            file.write(_figure(card))
        file.write(("</main>\n" if count else "<main></main>\n") + _FOOT)
    return count


def _figure(card: Card) -> str:
    picture = picture_tag(Image.fromarray(card.picture), safe_text(card.title))
    lines = "".join(f'<br><span class="grey">{safe_text(line)}</span>' for line in card.lines)
    alarm = f'<br><span class="alarm">{safe_text(card.alarm)}</span>' if card.alarm else ""
    return (
        f"<figure>{picture}<figcaption><b>{safe_text(card.title)}</b>{lines}{alarm}</figcaption></figure>\n"
    )

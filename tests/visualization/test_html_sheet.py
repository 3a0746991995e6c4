"""The HTML sheet: pages, escaping, and that a failed one leaves the old file."""

import numpy as np
import pytest

from procrop.visualization.crop_overlay import draw_crops
from procrop.visualization.html_sheet import Card, write_html_sheet

PICTURE = np.full((20, 30, 3), 99, np.uint8)


def test_pages_and_escaping(tmp_path):
    cards = (Card(f"<{i}>\n&", PICTURE, ("a\x1b",), "<b>gone</b>") for i in range(5))
    assert write_html_sheet(tmp_path / "s.html", "<title>", "n&n", cards, per_page=2) == 5
    text = (tmp_path / "s.html").read_text()
    assert text.count("<main") == text.count("</main>") == 3 and text.count("<main hidden>") == 2
    assert "&lt;3&gt;?&amp;" in text and "<b>gone" not in text and "\x1b" not in text
    assert text.count('width="30" height="20"') == 5 and "http" not in text


def test_an_empty_sheet_and_one_that_fails(tmp_path):
    assert write_html_sheet(tmp_path / "s.html", "t", "n", []) == 0
    before = (tmp_path / "s.html").read_text()

    def broken():
        yield Card("a", PICTURE)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        write_html_sheet(tmp_path / "s.html", "t", "n", broken())
    assert (tmp_path / "s.html").read_text() == before and len(list(tmp_path.iterdir())) == 1


def test_the_subject_is_dashed_under_the_crops():
    photo = np.full((200, 300, 3), 128, np.uint8)
    plain = draw_crops(photo, np.zeros((0, 4)))
    drawn = draw_crops(photo, np.zeros((0, 4)), subject=np.array([50, 40, 250, 160]))
    edge = drawn[40, 50:250]
    assert (edge == 0).all(axis=1).any() and (edge == 255).all(axis=1).any()
    assert (drawn[60:140, 70:230] == 128).all() and (plain == 128).all()

import numpy as np
import pytest
from PIL import Image

from procrop.visualization import ContactSheet, SheetRow
from procrop.visualization.caption_strip import caption_strip


def _row(colour=(200, 30, 30), size=(90, 60), references=2, title="photo.jpg"):
    photo = np.full((size[1], size[0], 3), colour, dtype=np.uint8)
    boxes = np.array([[0, 0, size[0] * 0.5, size[1] * 0.5], [0, 0, size[0], size[1]]])
    thumbnail = np.full((40, 60, 3), (10, 160, 40), dtype=np.uint8)
    return SheetRow(title, photo, boxes, np.array([0.9, 0.4]), [(thumbnail, 0.8)] * references)


def _count(image, colour):
    return int((np.asarray(image) == colour).all(axis=2).sum())


def test_a_sheet_shows_photo_crops_and_references(tmp_path):
    with ContactSheet(tmp_path / "sheet.png", crops=2) as sheet:
        sheet.add(_row())
    image = Image.open(tmp_path / "sheet.png").convert("RGB")
    assert image.width == sheet.width
    # two crops of 300 x 200 (that is 3:2 in cells of 300 x 240), and the photo of 360 x 240 less its frames
    red = _count(image, (200, 30, 30))
    assert 2 * 300 * 200 + 0.8 * 360 * 240 < red <= 2 * 300 * 200 + 360 * 240
    assert _count(image, (10, 160, 40)) == 2 * 132 * 88
    left = image.crop((0, 0, 30, image.height))
    assert _count(left, (251, 251, 249)) == left.width * left.height  # the margin is empty


def test_a_full_sheet_goes_on_on_another_page(tmp_path):
    with ContactSheet(tmp_path / "sheet.png", crops=1, rows_per_page=2) as sheet:
        for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200)):
            sheet.add(_row(colour, references=0))
    assert [page.name for page in sheet.pages] == ["sheet.png", "sheet_2.png", "sheet_3.png"]
    pages = [Image.open(page).convert("RGB") for page in sheet.pages]
    assert _count(pages[0], (0, 200, 0)) and not _count(pages[0], (0, 0, 200))
    assert _count(pages[1], (0, 0, 200)) and _count(pages[1], (200, 200, 0))
    assert _count(pages[2], (0, 200, 200))
    assert pages[2].height < pages[1].height


def test_exactly_full_pages_leave_no_empty_one(tmp_path):
    with ContactSheet(tmp_path / "sheet.png", rows_per_page=2) as sheet:
        sheet.add(_row())
        sheet.add(_row())
    assert [page.name for page in sheet.pages] == ["sheet.png"]


def test_a_rejected_photo_has_its_reason_in_a_short_row(tmp_path):
    heights = {}
    for name, row in (("good", _row()), ("bad", SheetRow("bad\n.jpg", note="the file is empty " * 50))):
        with ContactSheet(tmp_path / f"{name}.png") as sheet:
            sheet.add(row)
        image = Image.open(tmp_path / f"{name}.png").convert("RGB")
        heights[name] = image.height
    assert heights["bad"] < heights["good"] - 150
    assert _count(image, (168, 32, 20)) > 100  # the text in the colour of alarm
    right = image.crop((image.width - 30, 0, image.width, image.height))
    assert _count(right, (251, 251, 249)) == right.width * right.height  # a long text stays on the sheet


@pytest.mark.parametrize("size", [(3000, 100), (100, 3000), (1, 1), (800, 1)])
def test_extreme_shapes_keep_the_row_height(tmp_path, size):
    with ContactSheet(tmp_path / "usual.png") as usual:
        usual.add(_row())
    with ContactSheet(tmp_path / "extreme.png") as extreme:
        extreme.add(_row(size=size))
    assert Image.open(tmp_path / "extreme.png").size == Image.open(tmp_path / "usual.png").size


def test_a_reference_whose_file_is_gone_is_shown_as_a_gap(tmp_path):
    row = _row(references=1)
    row.references = [(None, 0.7), *row.references]
    with ContactSheet(tmp_path / "sheet.png") as sheet:
        sheet.add(row)
    assert _count(Image.open(tmp_path / "sheet.png").convert("RGB"), (236, 236, 232)) > 0.8 * 132 * 106


def test_without_references_the_sheet_is_narrower(tmp_path):
    wide = ContactSheet(tmp_path / "a.png", crops=3)
    narrow = ContactSheet(tmp_path / "b.png", crops=3, references=False)
    assert narrow.width < wide.width - 400


def test_rows_done_before_an_error_are_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt), ContactSheet(tmp_path / "sheet.png") as sheet:
        sheet.add(_row())
        raise KeyboardInterrupt
    assert (tmp_path / "sheet.png").is_file()


def test_no_rows_make_no_file(tmp_path):
    with ContactSheet(tmp_path / "sheet.png"):
        pass
    assert list(tmp_path.iterdir()) == []


def _sheet(path, **row):
    with ContactSheet(path) as sheet:
        filled = _row()
        sheet.add(SheetRow(filled.title, filled.photo, filled.boxes, filled.scores, filled.references, **row))
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_caption_stands_above_the_pictures_and_says_where_it_came_from(tmp_path):
    plain = _sheet(tmp_path / "plain.png")
    pages = {
        (caption, source): _sheet(tmp_path / "page.png", caption=caption, caption_source=source)
        for caption, source in [("a dog", "given"), ("a cat", "given"), ("a dog", "generated"), ("", "")]
    }
    for (caption, source), page in pages.items():
        strip = np.asarray(caption_strip(caption, source, page.shape[1] - 64))
        extra = len(page) - len(plain)
        assert extra == len(strip) + 6
        # header and title, the strip, then the row's pictures as they are without it
        start = 92 + 18 + 34 - 6
        np.testing.assert_array_equal(page[:start], plain[:start])
        np.testing.assert_array_equal(page[start : start + len(strip), 32:-32], strip)
        np.testing.assert_array_equal(page[start + 6 + len(strip) :], plain[start + 6 - 6 :])
    assert len({page.tobytes() for page in pages.values()}) == 4


def test_a_long_caption_takes_two_lines_and_no_more(tmp_path):
    one, two, cut = (
        _sheet(tmp_path / "page.png", caption="a dog and a boat " * repeats, caption_source="given")
        for repeats in (1, 14, 400)
    )
    assert len(one) + 20 == len(two) == len(cut)
    background = (cut == (251, 251, 249)).all(axis=2)
    assert background[:, -30:].all() and background[:, :30].all()


def test_whose_the_references_are_stands_below_them(monkeypatch):
    from dataclasses import replace

    from procrop.visualization import contact_sheet

    drawn = []
    strip = contact_sheet.labelled_strip
    monkeypatch.setattr(
        contact_sheet, "labelled_strip", lambda *a, **k: drawn.append(a[:2]) or strip(*a, **k)
    )
    sheet = ContactSheet("sheet.png")
    plain = sheet.draw(_row())
    credited = sheet.draw(replace(_row(), credits=["Reef, Li, CC0-1.0", ""]))
    assert drawn == [("references", "1: Reef, Li, CC0-1.0")] and credited.height > plain.height
    above = plain.height - contact_sheet.GAP
    assert np.array_equal(np.asarray(credited)[:above], np.asarray(plain)[:above])
    assert (
        ContactSheet("sheet.png", references=False).draw(replace(_row(), credits=["x"])).height
        == plain.height
    )

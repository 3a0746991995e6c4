import numpy as np
import pytest
from PIL import Image

from procrop.visualization import ComparisonRow, ComparisonSheet, ShownNeighbour

RED, GREEN, BLUE, DOT = (200, 30, 30), (10, 160, 40), (30, 60, 200), (0, 92, 175)


def _photo(colour, size=(60, 40)):
    return np.full((size[1], size[0], 3), colour, np.uint8)


def _row(colours=((GREEN, BLUE), (BLUE, GREEN)), k=5, shared=False, size=(60, 40)):
    blocks = [
        [ShownNeighbour(_photo(pair[rank > 0], size), 0.9 - 0.1 * rank, shared) for rank in range(k)]
        for pair in colours
    ]
    return ComparisonRow("query.jpg", _photo(RED, size), "random photos", blocks, ["a note", "another"])


def _pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def _box(pixels, colour):
    """(left, top, right, bottom) of the pixels of a colour, right and bottom excluded, and their number."""
    rows, columns = np.nonzero((pixels == colour).all(axis=2))
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), len(rows)


def test_neighbours_stand_beside_their_query_the_nearest_one_large(tmp_path):
    with ComparisonSheet(tmp_path / "s.png", [("lines", "cosine"), ("colours", "l2")], k=5) as sheet:
        sheet.add(_row())
    pixels = _pixels(tmp_path / "s.png")
    assert pixels.shape[1] == sheet.width
    (left, top, right, bottom), number = _box(pixels, RED)
    assert (right - left, bottom - top) == (297, 198) and number == 297 * 198  # 3 : 2, nothing drawn over it
    # first block: one large green photo, then two by two small blue ones; second block with the colours exchanged
    half = (pixels.shape[1] + right) // 2
    first, second = pixels[:, right:half], pixels[:, half:]
    for block, large, small in ((first, GREEN, BLUE), (second, BLUE, GREEN)):
        (l0, t0, r0, b0), number = _box(block, large)
        assert (r0 - l0, b0 - t0) == (297, 198) == (r0 - l0, number // (r0 - l0))
        assert t0 == top
        (l1, t1, r1, b1), number = _box(block, small)
        assert number == 4 * 129 * 86 and l1 > r0
        assert (r1 - l1, b1 - t1) == (2 * 129 + 10, 2 * 86 + 26) and (t1, b1) == (t0, b0)


@pytest.mark.parametrize(("k", "columns"), [(1, 0), (2, 1), (3, 1), (4, 2), (11, 5), (30, 5)])
def test_the_sheet_is_as_wide_as_its_neighbours_need(tmp_path, k, columns):
    sheet = ComparisonSheet(tmp_path / "s.png", [("a", "")], k)
    assert sheet.width == 32 + 297 + 56 + 297 + columns * 139 + 32
    sheet.add(_row(colours=((GREEN, BLUE),), k=k))
    sheet.close()
    pixels = _pixels(tmp_path / "s.png")
    shown = min(k, 11) - 1
    assert _box(pixels, GREEN)[1] == 297 * 198
    assert (pixels == BLUE).all(axis=2).sum() == shown * 129 * 86
    assert (pixels[:, -31:] == (251, 251, 249)).all()  # the margin is empty


def test_shared_neighbours_are_marked(tmp_path):
    dots = {}
    for shared in (False, True):
        with ComparisonSheet(tmp_path / f"{shared}.png", [("a", ""), ("b", "")], k=2) as sheet:
            sheet.add(_row(k=2, shared=shared))
        dots[shared] = (_pixels(tmp_path / f"{shared}.png") == DOT).all(axis=2).sum()
    # one dot in the legend, one more beside each of four scores
    assert 20 < dots[False] < 100 and dots[True] == pytest.approx(5 * dots[False], rel=0.2)


@pytest.mark.parametrize("size", [(3000, 100), (100, 3000), (1, 1)])
def test_extreme_shapes_keep_the_row_height(tmp_path, size):
    heights = []
    for name, shape in (("usual", (60, 40)), ("extreme", size)):
        with ComparisonSheet(tmp_path / f"{name}.png", [("a", ""), ("b", "")]) as sheet:
            sheet.add(_row(size=shape))
        heights.append(_pixels(tmp_path / f"{name}.png").shape)
    assert heights[0] == heights[1]


def test_a_rejected_query_has_its_reason_and_a_lost_neighbour_a_grey_field(tmp_path):
    with ComparisonSheet(tmp_path / "s.png", [("a", "")], k=2) as sheet:
        sheet.add(ComparisonRow("bad.jpg", note="the file is empty"))
        sheet.add(ComparisonRow("q.jpg", _photo(RED), "", [[ShownNeighbour(None, 0.5)]], [""]))
    pixels = _pixels(tmp_path / "s.png")
    assert (pixels == (168, 32, 20)).all(axis=2).sum() > 50
    assert (pixels == (236, 236, 232)).all(axis=2).sum() > 0.9 * 297 * 198


def test_full_pages_go_on_on_the_next(tmp_path):
    with ComparisonSheet(tmp_path / "s.png", [("a", "")], k=1, rows_per_page=2) as sheet:
        for _ in range(3):
            sheet.add(_row(colours=((GREEN, BLUE),), k=1))
    assert [page.name for page in sheet.pages] == ["s.png", "s_2.png"]
    with pytest.raises(ValueError, match="rows_per_page"):
        ComparisonSheet(tmp_path / "s.png", [], rows_per_page=0)

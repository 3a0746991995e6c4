import numpy as np
import pytest

from procrop.visualization import draw_before_after

PAPER = (251, 251, 249)


def _photo(width=300, height=200):
    """Blue, with a red field from (30, 20) to (150, 100)."""
    photo = np.full((height, width, 3), (20, 40, 220), dtype=np.uint8)
    photo[20:100, 30:150] = (220, 10, 10)
    return photo


def _places(drawn, colour):
    return np.argwhere((np.asarray(drawn) == colour).all(axis=2))


def test_the_photo_stands_left_of_its_crop():
    drawn = draw_before_after(_photo(), np.array([30.0, 20, 150, 100]), room=(600, 400))
    assert drawn.size == (600 + 600 + 3 * 18, 400 + 18 + 34)
    crop = _places(drawn, (220, 10, 10))
    right = crop[crop[:, 1] > 618]
    assert (
        len(right) == 600 * 400 and (right.min(axis=0) == [18, 636]).all()
    )  # nothing but the crop, and all of it
    assert (_places(drawn, (20, 40, 220))[:, 1] < 618).all()


def test_a_box_and_the_crop_itself_give_the_same():
    photo = _photo()
    a = draw_before_after(photo, np.array([30, 20, 150, 100]))
    b = draw_before_after(photo, photo[20:100, 30:150])
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("size", [(2000, 8), (8, 2000), (1, 1)])
def test_any_shape_keeps_its_words_within_the_picture(size):
    drawn = np.asarray(draw_before_after(_photo(*size), np.array([0, 0, size[0] / 2, size[1] / 2])))
    frame = np.concatenate(
        [drawn[:, :18].reshape(-1, 3), drawn[:, -17:].reshape(-1, 3), drawn[-6:].reshape(-1, 3)]
    )
    assert (frame == PAPER).all()
    words = drawn[-34:]
    assert (words != PAPER).any(axis=(0, 2))[18:].any()


@pytest.mark.parametrize("crop", [(1, 2, 3), (0, 0, np.nan, 4)])
def test_what_is_no_crop_is_refused(crop):
    with pytest.raises(ValueError, match="four finite numbers"):
        draw_before_after(_photo(), crop)

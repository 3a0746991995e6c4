import numpy as np
import pytest

from procrop.generation.layout.photo_layout import working_size
from procrop.generation.layout.subject import find_subject as find_in_both_views
from procrop.inference.selection import find_subject
from procrop.structures.boxes import box_iou


def photo(size=(600, 400), box=(300, 150, 420, 270)):
    width, height = size
    pixels = np.full((height, width, 3), (90, 120, 160), np.uint8)
    x1, y1, x2, y2 = box
    pixels[y1:y2, x1:x2] = (230, 60, 30)
    return pixels


def test_what_stands_out_is_found_in_pixels_of_the_photo():
    for scale in (1, 4):
        box = np.array([300, 150, 420, 270]) * scale
        found = find_subject(photo((600 * scale, 400 * scale), box))
        assert found.shape == (4,) and found.dtype == np.float64
        assert box_iou(found[None], box[None].astype(float))[0, 0] > 0.6


def test_a_mirrored_photo_has_a_mirrored_subject():
    pixels = photo()
    found, mirrored = find_subject(pixels), find_subject(np.ascontiguousarray(pixels[:, ::-1]))
    np.testing.assert_allclose(mirrored, [600 - found[2], found[1], 600 - found[0], found[3]], atol=1e-6)


def test_nothing_stands_out():
    assert find_subject(np.full((60, 90, 3), 128, np.uint8)) is None
    assert find_subject(np.zeros((1, 1, 3), np.uint8)) is None
    assert find_subject(np.zeros((2, 500, 3), np.uint8)) is None


def same_as_in_both_views(pixels):
    found, expected = find_subject(pixels), find_in_both_views(working_size(pixels))
    if expected is None:
        return found is None
    height, width = pixels.shape[:2]
    return np.array_equal(found, np.array(expected.box) * (width, height, width, height))


def test_one_view_finds_what_both_find():
    rng = np.random.default_rng(5)
    for _ in range(8):
        x, y = rng.integers(0, 500), rng.integers(0, 300)
        assert same_as_in_both_views(photo((600, 400), (x, y, x + 90, y + 80)))


@pytest.mark.realdata
def test_one_view_finds_what_both_find_in_real_photos(procrop_data):
    from procrop.io import list_photos, read_photo

    paths = list_photos(procrop_data / "flms50")
    assert len(paths) >= 40
    assert all(same_as_in_both_views(read_photo(path)) for path in paths)

import numpy as np

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

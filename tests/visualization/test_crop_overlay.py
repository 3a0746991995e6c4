import numpy as np
import pytest

from procrop.visualization import cut_crop, draw_crops, draw_overlay, rank_colour
from procrop.visualization.crop_overlay import fit_size


def _numbered(height, width):
    """A photo whose pixel (y, x) holds y in red and x in green."""
    photo = np.zeros((height, width, 3), dtype=np.uint8)
    photo[..., 0] = np.arange(height)[:, None]
    photo[..., 1] = np.arange(width)[None, :]
    return photo


def test_a_crop_holds_the_pixels_of_its_box():
    crop = cut_crop(_numbered(60, 100), [10.4, 20.6, 50.0, 59.2])
    assert crop.shape == (59 - 21, 50 - 10, 3)
    assert tuple(crop[0, 0]) == (21, 10, 0) and tuple(crop[-1, -1]) == (58, 49, 0)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((-5, -5, 500, 500), (100, 60)),  # clipped to the photo
        ((30.1, 30.1, 30.2, 30.2), (1, 1)),  # thinner than a pixel
        ((100, 60, 100, 60), (1, 1)),  # on the far corner
        ((99.9, 0, 100, 60), (1, 60)),
    ],
)
def test_a_crop_stays_inside_and_never_is_empty(box, size):
    height, width, _ = cut_crop(_numbered(60, 100), box).shape
    assert (width, height) == size


@pytest.mark.parametrize("box", [(0, 0, np.nan, 5), (0, 0, np.inf, 5), (0, 0, 5)])
def test_a_box_that_is_none_is_refused(box):
    with pytest.raises(ValueError, match="four finite numbers"):
        cut_crop(_numbered(60, 100), box)


@pytest.mark.parametrize(
    ("size", "room", "expected"),
    [
        ((600, 400), (400, 240), (360, 240)),
        ((400, 600), (400, 240), (160, 240)),
        ((3000, 100), (400, 240), (400, 13)),
        ((30000, 20), (400, 240), (400, 1)),
        ((1, 1), (400, 240), (240, 240)),
    ],
)
def test_pictures_keep_their_shape_within_the_room(size, room, expected):
    assert fit_size(size, room) == expected


def test_frames_lie_where_the_boxes_are_and_the_best_is_on_top():
    photo = np.full((200, 300, 3), 128, dtype=np.uint8)
    boxes = np.array([[50, 40, 250, 160], [50, 40, 290, 190]])
    drawn = draw_crops(photo, boxes)
    assert drawn.shape == photo.shape and (photo == 128).all()  # the photo itself is untouched
    coloured = [np.argwhere((drawn == rank_colour(rank)).all(axis=2)) for rank in range(2)]
    # the colour reaches from edge to edge of its box, less the white rim, and not beyond
    assert np.abs(coloured[0].min(axis=0) - [40, 50]).max() <= 2
    assert np.abs(coloured[0].max(axis=0) - [159, 249]).max() <= 2
    assert np.abs(coloured[1].max(axis=0) - [189, 289]).max() <= 2
    assert tuple(drawn[41, 150]) == rank_colour(0)  # the shared upper edge shows the best crop's colour
    assert tuple(drawn[100, 150]) == (128, 128, 128)  # the inside is left alone


def test_drawing_scales_boxes_with_the_photo():
    photo = np.full((400, 600, 3), 128, dtype=np.uint8)
    drawn = draw_crops(photo, np.array([[60, 40, 540, 360]]), np.array([0.5]), room=(300, 300))
    assert drawn.shape == (200, 300, 3)
    coloured = np.argwhere((drawn == rank_colour(0)).all(axis=2))
    assert np.abs(coloured.max(axis=0) - [179, 269]).max() <= 2


@pytest.mark.parametrize(
    ("box", "crops"), [((20, 20, 340, 220), 3), ((150, 80, 205, 190), 6), ((300, 90, 360, 190), 6)]
)
def test_labels_do_not_cover_each_other(box, crops):
    """Nor where crops are one, and as narrow as a label, in the middle or at the edge of the photo."""
    photo = np.full((240, 360, 3), 128, dtype=np.uint8)
    drawn = draw_crops(photo, np.array([box] * crops), np.linspace(0.9, 0.4, crops))
    areas = [int((drawn == rank_colour(rank)).all(axis=2).sum()) for rank in range(crops)]
    assert min(areas) > 300  # a label alone is some 60 x 20 pixels, mostly of its colour


def test_no_crop_leaves_the_photo_as_it_is():
    photo = _numbered(50, 80)
    assert (draw_crops(photo, np.zeros((0, 4))) == photo).all()


@pytest.mark.parametrize("width", [40, 300, 2400])
def test_a_caption_stands_in_a_strip_below_the_picture(width):
    photo = np.full((200, width, 3), 90, dtype=np.uint8)
    boxes = np.array([[5.0, 5, 30, 100]])
    plain = draw_crops(photo, boxes)
    said = draw_crops(photo, boxes, caption="a dog and a boat", caption_source="given")
    np.testing.assert_array_equal(said[:200], plain)
    strip = said[200:]
    assert 15 <= len(strip) < 120 and strip.shape[1:] == (width, 3)
    assert (strip[:, :4] == strip[0, 0]).all()  # the margin is empty
    other = draw_crops(photo, boxes, caption="a dog and a boat", caption_source="generated")
    none = draw_crops(photo, boxes, caption="")
    assert width == 40 or len({picture.tobytes() for picture in (said, other, none)}) == 3


def test_a_picture_smaller_than_a_label_gets_none():
    photo = np.full((9, 440, 3), 128, dtype=np.uint8)
    boxes = np.array([[0, 0, 440, 9]])
    np.testing.assert_array_equal(draw_crops(photo, boxes), draw_crops(photo, boxes, labels=False))


def test_the_overlay_is_the_drawn_crops_with_rings_around_their_focal_points():
    photo = np.full((200, 300, 3), 128, dtype=np.uint8)
    boxes, scores = np.array([[50, 40, 250, 160], [0, 0, 290, 190]]), np.array([0.9, 0.5])
    plain = draw_overlay(photo, boxes, scores)
    np.testing.assert_array_equal(np.asarray(plain), draw_crops(photo, boxes, scores))
    for room, factor in ((None, 1), ((600, 600), 2)):
        points = np.array([[150, 100], [200, 120]])
        drawn = np.asarray(draw_overlay(photo, boxes, scores, points, room, caption="a dog"))
        without = np.asarray(draw_overlay(photo, boxes, scores, room=room, caption="a dog"))
        changed = np.argwhere((drawn != without).any(axis=2))[:, ::-1]
        assert len(changed)
        near = [np.abs(changed - factor * point).max(axis=1) <= 20 for point in points]
        assert (near[0] | near[1]).all() and near[0].any() and near[1].any()
        for rank, own in enumerate(near):
            ring = np.array([drawn[y, x] for x, y in changed[own]])
            assert (ring == rank_colour(rank)).all(axis=1).sum() > 20
            coloured = changed[own][(ring == rank_colour(rank)).all(axis=1)]
            np.testing.assert_allclose(coloured.mean(axis=0), factor * points[rank], atol=1)

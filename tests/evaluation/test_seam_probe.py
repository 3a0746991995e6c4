"""The seam probe with predictors of which it is known how far they follow seams."""

import numpy as np
import pytest

from procrop.evaluation.seam_probe import border_distances, seam_following, seam_photos
from procrop.structures.seams import SEAM_KINDS

RNG = np.random.default_rng
PHOTOS = [(f"p{i}", RNG(i).integers(60, 190, (80 + i, 120, 3), dtype=np.uint8)) for i in range(6)]


class Oracle:
    """Knows where the seams are, and follows them with some of its borders."""

    def __init__(self, borders=(0, 1, 2, 3), follows=lambda name, kind: True, seed=0):
        self.boxes = {}
        for name, photo in PHOTOS:
            for probe in seam_photos(name, photo, seed):
                if follows(name, probe.kind):
                    # a box away from every seam and edge of the photo, but for some borders
                    box = np.full(4, np.nan)
                    box[list(borders)] = probe.box[list(borders)]
                    self.boxes[probe.photo.tobytes()] = (box, probe.box)

    def __call__(self, photo):
        box, _ = self.boxes.get(photo.tobytes(), (np.full(4, np.nan), None))
        away = np.array([0.0, 0.0, photo.shape[1], photo.shape[0]])  # the edges, where no seam is
        return np.stack([np.where(np.isnan(box), away, box), away])


def _probe(predictor, **settings):
    return seam_following(predictor, PHOTOS, resamples=200, **settings)


def test_distances_are_to_the_nearest_border_that_runs_the_same_way():
    found = border_distances([[10, 20, 88, 50], [0, 0, 100, 50]], [12, 10, 90, 45], (100, 50))
    # the left border of the first box is 2 from the seam's left; its top is 10 from the seam's, of 50
    np.testing.assert_allclose(found, [[0.02, 0.2, 0.02, 0.1], [0.12, 0.2, 0.1, 0.1]])
    # a left border may follow the right seam
    np.testing.assert_allclose(border_distances([90, 45, 95, 49], [12, 10, 90, 45], (100, 50))[0, :2], 0)


def test_a_predictor_that_follows_every_seam_scores_one_and_a_blind_one_zero():
    follows, blind = _probe(Oracle()), _probe(lambda photo: [[0, 0, photo.shape[1], photo.shape[0]]])
    assert (follows.followed.value, follows.with_seam, follows.without_seam) == (1, 1, 0)
    assert follows.followed.low == follows.followed.high == 1 and follows.distance_with == 0
    assert (blind.followed.value, blind.with_seam, blind.distance_with) == (0, 0, blind.distance_without)
    assert follows.distance_without == blind.distance_without > 0.05
    assert (follows.photos, follows.probes) == (6, 24) and follows.by_kind == dict.fromkeys(SEAM_KINDS, 1.0)


def test_half_the_borders_score_a_half():
    assert _probe(Oracle((0, 3))).followed.value == pytest.approx(0.5)


def test_what_the_predictor_says_without_the_seam_is_taken_off():
    boxes = {
        p.photo.tobytes(): p.box for name, photo in PHOTOS for p in seam_photos(name, photo, 0, ("blur",))
    }
    plain = {
        photo.tobytes(): boxes[p.photo.tobytes()]
        for name, photo in PHOTOS
        for p in seam_photos(name, photo, 0, ("blur",))
    }

    def lucky(photo):  # would have put its borders there anyway
        return [boxes[photo.tobytes()] if photo.tobytes() in boxes else plain[photo.tobytes()]]

    found = _probe(lucky, kinds=("blur",))
    assert (found.followed.value, found.with_seam, found.without_seam) == (0, 1, 1)


def test_kinds_and_photos_are_told_apart():
    by_kind = _probe(Oracle(follows=lambda name, kind: kind == "jpeg"))
    assert by_kind.by_kind == {**dict.fromkeys(SEAM_KINDS, 0.0), "jpeg": 1.0}
    assert by_kind.followed.value == pytest.approx(0.25)
    # half the photos: whole photos are drawn, so the interval is wide
    half = _probe(Oracle(follows=lambda name, kind: name in ("p0", "p1", "p2"))).followed
    assert half.value == pytest.approx(0.5) and half.low < 0.25 and half.high > 0.75


def test_the_best_boxes_count_as_many_as_asked_for():
    assert _probe(Oracle(), top=2).followed.value == pytest.approx(0.5)  # the second is the whole photo
    assert _probe(Oracle(), top=5).followed.value == pytest.approx(0.5)


def test_seams_depend_on_seed_name_and_kind_alone():
    name, photo = PHOTOS[0]
    alone = next(p for p in seam_photos(name, photo, 4) if p.kind == "noise")
    (again,) = seam_photos(name, photo, 4, ("noise",))
    np.testing.assert_array_equal(alone.photo, again.photo)
    boxes = [next(seam_photos(n, photo, s, ("noise",))).box for n, s in ((name, 4), (name, 5), ("other", 4))]
    assert len({tuple(box) for box in boxes}) == 3
    x1, y1, x2, y2 = alone.box.astype(int)
    np.testing.assert_array_equal(alone.photo[y1:y2, x1:x2], photo[y1:y2, x1:x2])


@pytest.mark.parametrize("boxes", [[], [[0, 0, 1]], [[0, 0, np.nan, 5]], [0, 0, 5, 5]])
def test_predictions_that_are_no_boxes_are_refused(boxes):
    with pytest.raises(ValueError, match="photo p0: the predictor must give finite boxes"):
        _probe(lambda photo: boxes)


def test_other_faults():
    with pytest.raises(ValueError, match="at least one photo"):
        seam_following(lambda photo: [[0, 0, 1, 1]], [])
    with pytest.raises(ValueError, match="photo p0 comes twice"):
        seam_following(lambda photo: [[0, 0, 1, 1]], [PHOTOS[0], PHOTOS[0]])
    with pytest.raises(ValueError, match="tolerance in"):
        _probe(Oracle(), tolerance=0.1)


def test_a_predictor_cannot_alter_the_photo_of_the_next_probe():
    def scribbler(photo):
        photo[:] = 0
        return [[0, 0, 5, 5]]

    before = [photo.copy() for _, photo in PHOTOS]
    _probe(scribbler)
    for copy, (_, photo) in zip(before, PHOTOS, strict=True):
        np.testing.assert_array_equal(copy, photo)

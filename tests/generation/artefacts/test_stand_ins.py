"""Synthetic bad photos: each kind is what its name says, and a folder of them can be trained on."""

import numpy as np
import pytest
from PIL import Image

from procrop.generation.artefacts import STAND_IN_KINDS, stand_in, write_stand_ins
from procrop.generation.artefacts.labelled_photos import labelled_photos


def _photo(width=160, height=120, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 255, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", STAND_IN_KINDS)
def test_every_kind_is_drawn_by_the_generator_alone(kind):
    photo = _photo()
    before = photo.copy()
    a, b, c = (stand_in(photo, kind, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c) and not np.array_equal(a, photo)
    assert a.shape == photo.shape and a.dtype == np.uint8
    np.testing.assert_array_equal(photo, before)
    assert min(stand_in(_photo(32, 400), kind, np.random.default_rng(0)).shape[:2]) == 32


def test_kinds_are_what_they_are_called():
    photo = _photo()
    draws = [np.random.default_rng(seed) for seed in range(8)]
    for rng in draws:
        framed = stand_in(photo, "frame", rng)
        edge = framed[0]
        assert len(np.unique(edge)) == 1 and edge[0, 0] in (0, 255)
        np.testing.assert_array_equal(framed[30:90, 30:130], photo[30:90, 30:130])
        grid = stand_in(photo, "grid", rng)
        # lines from edge to edge, in one colour
        assert sum(len(np.unique(row)) == 1 for row in grid) >= 2
        assert sum(len(np.unique(grid[:, x])) == 1 for x in range(grid.shape[1])) >= 2
        texture = stand_in(photo, "texture", rng)
        changed = (texture != photo).any(axis=2)
        assert 0.2 < changed.mean() < 0.85
        tiles = stand_in(photo, "tiles", rng)
        # every pixel is one of the photo's
        colours = {tuple(pixel) for pixel in photo.reshape(-1, 3)}
        assert {tuple(pixel) for pixel in tiles.reshape(-1, 3)} <= colours
        assert 0.05 < (tiles != photo).any(axis=2).mean() < 0.95


def test_texture_repeats_itself():
    texture = stand_in(_photo(), "texture", np.random.default_rng(3))
    # some shift between 8 and 20 % of a side leaves a large part as it is
    shares = [(texture[:, s:] == texture[:, :-s]).all(axis=2).mean() for s in range(12, 33)]
    assert max(shares) > 0.2


def test_a_folder_of_stand_ins(tmp_path):
    (tmp_path / "photos").mkdir()
    for i in range(6):
        Image.fromarray(_photo(700 + 10 * i, 400, i)).save(tmp_path / "photos" / f"p{i}.jpg")
    assert write_stand_ins(tmp_path / "photos", tmp_path / "out") == 6
    photos = labelled_photos(tmp_path / "out")
    assert len(photos) == 12 and sum(photo.bad for photo in photos) == 6
    assert len({photo.source for photo in photos}) == 6
    sizes = {Image.open(photo.path).size for photo in photos}
    assert all(max(size) == 512 for size in sizes)
    with pytest.raises(ValueError, match="good: exists; stand-ins are not mixed"):
        write_stand_ins(tmp_path / "photos", tmp_path / "out")
    write_stand_ins(tmp_path / "photos", tmp_path / "again")
    for photo in photos:
        assert (
            tmp_path / "again" / photo.path.relative_to(tmp_path / "out")
        ).read_bytes() == photo.path.read_bytes()


def test_what_is_refused():
    with pytest.raises(ValueError, match="kind of a stand-in must be one of"):
        stand_in(_photo(), "scribble", np.random.default_rng(0))
    with pytest.raises(ValueError, match="a photo of 31 x 40 pixels is too small"):
        stand_in(_photo(31, 40), "grid", np.random.default_rng(0))

"""Thumbnails, their cache, and pairs of photos that show one picture."""

import io
import os
import sqlite3

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter

from procrop.datasets.checks import ThumbnailCache, matching_pairs, near_duplicates, thumbnail
from procrop.datasets.checks.thumbnails import read_thumbnails
from procrop.io import PhotoError


def picture(seed, size=(180, 120)):
    """A smooth coloured picture."""
    noise = np.random.default_rng(seed).normal(size=(size[1], size[0], 3))
    smooth = gaussian_filter(noise, (12, 12, 0))
    return np.rint(127 + 50 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


def encoded(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def horizon(seed, level):
    """A bright sky over dark ground, with a little of something."""
    noise = picture(seed).astype(float) - 127
    sky = np.where(np.arange(120)[:, None, None] < level, 210.0, 70.0)
    return (sky + 0.25 * noise).clip(0, 255).astype(np.uint8)


def test_means_of_the_fields():
    photo = np.zeros((160, 320, 3), np.uint8)
    photo[:10, :20] = 200
    expected = np.zeros((16, 16))
    expected[0, 0] = 200 * 257
    np.testing.assert_array_equal(thumbnail(photo).reshape(16, 16), expected)


def test_likeness_is_a_correlation_of_differences():
    pair = np.stack([thumbnail(picture(seed)) for seed in (1, 2)])
    ((_, _, likeness),) = matching_pairs(pair[:1], pair[1:], threshold=1e-9)
    values = []
    for grid in pair.reshape(2, 16, 16).astype(float):
        right, down = np.diff(grid, axis=1), np.diff(grid, axis=0)
        values.append(np.r_[(right - right.mean(0)).ravel(), (down.T - down.mean(1)).T.ravel()])
    assert likeness == pytest.approx(np.corrcoef(*values)[0, 1], abs=1e-5)


def test_copies_match_and_other_photos_do_not():
    originals = [picture(seed) for seed in range(12)] + [horizon(100 + seed, 55 + seed) for seed in range(4)]
    rows = np.stack([thumbnail(photo) for photo in originals])
    assert list(matching_pairs(rows)) == []
    grey = np.corrcoef(rows[-4:])
    assert grey[np.triu_indices(4, 1)].min() > 0.9  # what correlation of grey values would have found
    copies = []
    for photo in originals:
        image = Image.fromarray(photo)
        copies.append(thumbnail(encoded(image.resize((70, 47)), 60)))
        copies.append(thumbnail(encoded(ImageEnhance.Brightness(image).enhance(1.2), 90)))
    pairs = list(matching_pairs(np.stack(copies), rows))
    assert [(row, row // 2) for row in range(len(copies))] == [pair[:2] for pair in pairs]


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 65000, (50, 256)).astype(np.uint16)
    rows[31:40] = rows[3:12]
    whole = list(matching_pairs(rows)), list(matching_pairs(rows[:20], rows))
    monkeypatch.setattr(near_duplicates, "_BLOCK", 7)
    parts = list(matching_pairs(rows)), list(matching_pairs(rows[:20], rows))
    for one, other in zip(whole, parts, strict=True):
        assert [pair[:2] for pair in sorted(one)] == [pair[:2] for pair in sorted(other)]
    assert [pair[:2] for pair in sorted(parts[0])] == [(i, i + 28) for i in range(3, 12)]
    assert len(parts[1]) == 29 and all(likeness == pytest.approx(1) for *_, likeness in parts[1])


def test_even_colours_match_nothing():
    flat = np.full((2, 256), 300, np.uint16)
    flat[:, 0] += 1
    assert list(matching_pairs(flat)) == []


def test_cache_reads_a_photo_once_and_again_when_it_changes(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in ("a", "b", "gone")]
    for seed, path in enumerate(paths[:2]):
        Image.fromarray(picture(seed)).save(path)
    with ThumbnailCache(tmp_path / "cache" / "t.db") as cache:
        first = list(read_thumbnails(paths, cache))
    assert isinstance(first[2], PhotoError)
    paths[0].write_bytes(b"x" * paths[0].stat().st_size)  # unreadable, but as long as before
    stat = paths[1].stat()
    with ThumbnailCache(tmp_path / "cache" / "t.db") as cache:
        assert isinstance(list(read_thumbnails(paths, cache))[0], PhotoError)
        paths[1].write_bytes(b"x" * stat.st_size)
        os.utime(paths[1], ns=(stat.st_atime_ns, stat.st_mtime_ns))
        np.testing.assert_array_equal(list(read_thumbnails(paths, cache))[1], first[1])


def test_a_file_that_is_no_cache_is_left_alone(tmp_path):
    path = tmp_path / "t.db"
    path.write_bytes(b"some notes of mine, longer than a header of a hundred bytes" * 3)
    with pytest.raises(ValueError, match="not a cache of thumbnails"):
        ThumbnailCache(path)
    assert path.read_bytes().startswith(b"some notes")
    other = tmp_path / "other.db"
    base = sqlite3.connect(other)
    base.execute("CREATE TABLE mine (x)")
    base.commit()
    base.close()
    with pytest.raises(ValueError, match="other tables"):
        ThumbnailCache(other)

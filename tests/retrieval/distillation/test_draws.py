"""Random draws follow (seed, epoch, photo) and nothing else."""

import numpy as np
import pytest
from distilled_gallery import make_gallery
from PIL import Image

from procrop.retrieval import GalleryError
from procrop.retrieval.distillation.draws import epoch_plan, photometric_view, pool_plan
from procrop.retrieval.distillation.photos import DistillPhoto, collect_photos, held_out

PHOTO = np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_views_repeat_and_differ():
    assert photometric_view(PHOTO, 1, 0, 7) is PHOTO
    first = photometric_view(PHOTO, 1, 1, 7)
    np.testing.assert_array_equal(first, photometric_view(PHOTO, 1, 1, 7))
    for other in ((2, 1, 7), (1, 2, 7), (1, 1, 8)):
        assert not np.array_equal(first, photometric_view(PHOTO, *other))


def test_a_view_moves_nothing():
    flat = np.zeros((40, 40, 3), np.uint8)
    flat[:20, 20:] = 200, 80, 40
    changed = photometric_view(flat, 0, 1, 5)
    # wherever two pixels were equal they still are
    for rows, columns in ((slice(0, 20), slice(20, 40)), (slice(20, 40), slice(0, 20))):
        assert len(np.unique(changed[rows, columns].reshape(-1, 3), axis=0)) == 1
    assert tuple(changed[0, 39]) != tuple(changed[39, 0])


def test_an_epochs_draws_do_not_depend_on_the_company():
    numbers = [11, 22, 33, 44, 55]
    order, views = epoch_plan(numbers, 0, 3, 4)
    view_of = {numbers[i]: v for i, v in zip(order, views, strict=True)}
    some_order, some_views = epoch_plan([44, 11], 0, 3, 4)
    assert {[44, 11][i]: v for i, v in zip(some_order, some_views, strict=True)} == {
        n: view_of[n] for n in (11, 44)
    }
    assert [n for n in (numbers[i] for i in order) if n in (11, 44)] == [[44, 11][i] for i in some_order]
    plans = {tuple(epoch_plan(list(range(20)), s, e, 4)[0]) for s in (0, 1) for e in (0, 1)}
    assert len(plans) == 4


def test_views_are_drawn_evenly():
    drawn = np.concatenate([epoch_plan(list(range(50)), 0, e, 4)[1] for e in range(20)])
    assert set(drawn) == {0, 1, 2, 3} and np.bincount(drawn).min() > 180


def test_pool_is_whole_when_small():
    assert pool_plan(5, 9, 0, 0).tolist() == [0, 1, 2, 3, 4]
    drawn = pool_plan(500, 9, 0, 1)
    assert len(set(drawn)) == 9 and drawn.max() < 500
    assert drawn.tolist() == pool_plan(500, 9, 0, 1).tolist() != pool_plan(500, 9, 0, 2).tolist()


def photo(i, source):
    return DistillPhoto(f"{i}.png", f"{i:064x}", source, i)


def test_whole_sources_are_held_out():
    photos = [photo(i, f"s{i // 4}") for i in range(40)]
    tested = held_out(photos, 0.2, 0)
    assert tested.sum() == 8
    assert {p.source_id for p, t in zip(photos, tested, strict=True) if t}.isdisjoint(
        p.source_id for p, t in zip(photos, tested, strict=True) if not t
    )
    assert (tested != held_out(photos, 0.2, 1)).any()
    assert 0 < held_out(photos, 0.999, 0).sum() < 40
    # a photo more moves at most the last source
    more = held_out([*photos, photo(40, "s10")], 0.2, 0)
    assert np.abs(more[:40].astype(int) - tested).sum() <= 4


def test_photos_that_changed_or_went_are_named_and_copies_pass(tmp_path):
    gallery = make_gallery(tmp_path, 14)
    gallery.photo_path(3).unlink()
    Image.new("RGB", (9, 9)).save(gallery.photo_path(5))
    more = tmp_path / "more"
    more.mkdir()
    (more / "copy.png").write_bytes(gallery.photo_path(0).read_bytes())
    Image.new("RGB", (9, 9), (1, 2, 3)).save(more / "new.png")
    photos, rejected = collect_photos(gallery, [more])
    assert [p.gallery_id for p in photos] == [i for i in range(14) if i not in (3, 5)] + [None]
    assert photos[-1].path.name == "new.png"
    assert "p003.png" in rejected[0][0] and "cannot be read" in rejected[0][1]
    assert "p005.png" in rejected[1][0] and "changed" in rejected[1][1]


def test_too_few_photos_say_where_they_may_be(tmp_path):
    gallery = make_gallery(tmp_path, 12)
    for i in range(5):
        gallery.photo_path(i).unlink()
    with pytest.raises(GalleryError, match="7 photos to learn from, 10 are needed.*p000.png.*--photo-root"):
        collect_photos(gallery)

"""Sessions begin, are found and end, and their files with them."""

import time

import numpy as np
import pytest
import torch
from demo_parts import write_photo
from tiny_cropper import write_checkpoint

from procrop.demo import DemoLimits, EmbeddingCache, SessionStore, SharedCropper
from procrop.demo.embedding_cache import embedding_bytes
from procrop.inference import CropInferencer, PhotoEmbedding
from procrop.models.croppers import PhotoFeatures
from procrop.structures import CropDataSample, TokenSet


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def store(tmp_path, now):
    limits = DemoLimits(sessions=3, idle_s=3600, left_s=300)
    cropper = SharedCropper(CropInferencer(write_checkpoint(tmp_path), device="cpu"), limits=limits)
    store = SessionStore(cropper, clock=lambda: now[0])
    yield store
    store.close()


def folders(store):
    return sorted(path.name for path in store.root.iterdir() if path.name.startswith("session-"))


def test_each_visitor_has_a_session_of_their_own(store, tmp_path):
    one, other = store.session("one"), store.session("other")
    assert one is store.session("one") and one is not other and one.folder != other.folder
    one.add(write_photo(tmp_path / "a.png"), "a.png")
    assert store.of_token(one.token) is one and store.of_token("p1") is None and store.of_token("ä") is None
    assert other.photos == {} and len(folders(store)) == 2


def test_a_model_without_references_has_no_gallery_to_choose(store, tmp_path):
    session = store.session("one")
    session.add(write_photo(tmp_path / "a.png"), "a.png")
    assert session.options.gallery is None and store.cropper.gallery_names == ()
    assert len(session.view().boxes) == 3 and session.view().attention is None
    session.pin("p01.png")
    assert "takes no more" in session.message or "without references" in session.message


def test_sessions_end_after_rest_and_when_their_page_is_closed(store, now, tmp_path):
    resting, left, back = (store.session(name) for name in ("resting", "left", "back"))
    left.add(write_photo(tmp_path / "a.png"), "a.png")
    assert store.cropper._embeddings.held_bytes > 0
    store.leave("left")
    store.leave("back")
    store.leave("nobody")
    now[0] += 299
    assert store.session("back") is back  # a phone that slept
    assert store.sweep() == 0
    now[0] += 2
    assert store.sweep() == 1 and left.closed and not left.folder.exists()
    assert store.of_token(left.token) is None and len(store.cropper._embeddings) == 0
    assert not resting.closed and not back.closed
    now[0] += 3300
    assert store.sweep() == 1 and resting.closed
    assert store.session("resting") is not resting and folders(store) == sorted(
        path.name for path in (store.session("resting").folder, back.folder)
    )


def test_one_visitor_too_many_ends_the_session_that_rested_longest(store):
    first, second = store.session("1"), store.session("2")
    store.session("3")
    store.session("1")
    store.session("4")
    assert second.closed and not first.closed and len(store) == 3


def test_uploads_that_nobody_took_in_go_and_the_end_removes_everything(store, tmp_path):
    old = write_photo(store.uploads / "ab" / "old.png")
    before = time.time() + 0.05
    time.sleep(0.1)  # the clock of a file system may be behind
    young = write_photo(store.uploads / "cd" / "young.png")
    store._remove_old_uploads(before)
    assert not old.exists() and young.exists()
    session = store.session("one")
    store.close()
    store.close()
    assert session.closed and not store.root.exists()


def test_limits_are_above_nothing():
    with pytest.raises(ValueError, match="the limit photos must be above 0, got 0"):
        DemoLimits(photos=0)
    assert DemoLimits().upload_bytes == 30 * 2**20


def embedding(side):
    """2 x side² x 3 bytes of photo and 1000 of features."""
    tokens = TokenSet(torch.zeros(1, 10, 10), None, None, None)
    features = PhotoFeatures(torch.zeros(1, 1, 7, 21), tokens, torch.zeros(1, 3))
    photo = np.zeros((side, 2 * side, 3), dtype=np.uint8)
    return PhotoEmbedding("a", (2 * side, side), photo, features, CropDataSample())


def test_the_cache_keeps_what_was_used_last_within_its_bytes():
    assert embedding_bytes(embedding(10)) == 600 + 4 * (147 + 100 + 3)
    cache = EmbeddingCache(3 * 1600)
    kept = [embedding(10) for _ in range(4)]
    for number in range(3):
        cache.put(number, kept[number])
    assert cache.get(0) is kept[0] and cache.held_bytes == 4800
    cache.put(3, kept[3])
    assert cache.get(1) is None and cache.get(0) is kept[0] and cache.get(3) is kept[3] and len(cache) == 3
    cache.put(0, kept[1])  # replaced, not counted twice
    assert cache.held_bytes == 4800
    large = embedding(1000)
    cache.put("large", large)
    assert cache.get("large") is large and len(cache) == 1
    cache.drop("large")
    cache.drop("large")
    assert cache.held_bytes == 0

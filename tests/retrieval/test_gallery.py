"""A finished gallery: search, tokens, crops, and every kind of damage noticed."""

import json
import pickle
import shutil

import numpy as np
import pytest
from colour_backbone import draw_photos
from PIL import Image

from procrop.retrieval import Gallery, GalleryError, GalleryItem, build_gallery, items_from_folder


@pytest.fixture
def gallery(tmp_path, photos, retrieval):
    return build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos, shard_size=6)


def pixels(gallery, photo_id):
    return np.asarray(Image.open(gallery.photo_path(photo_id)))


def flip(path, position=-1):
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_what_it_holds(gallery, photos):
    assert len(gallery) == 20 and gallery.names == [f"p{i:03d}.png" for i in range(20)]
    assert gallery.source_ids[4] == "p004"
    assert gallery.photo_path(4).resolve() == (photos / "p004.png").resolve()
    assert gallery.token_shape == (4, 3) and gallery.token_grid == (2, 2) and gallery.metric == "cosine"
    assert gallery.verify() == [] and gallery.rejected == []
    assert gallery.info()["photos"] == 20 and gallery.info()["index"] == "FaissIndex Flat"


def test_tokens_are_those_of_the_photos(gallery):
    for photo_id in (0, 7, 19):
        quarters = pixels(gallery, photo_id)[::8, ::10].reshape(4, 3) / 255
        np.testing.assert_allclose(gallery.tokens([photo_id])[0], quarters, atol=1e-3)
    assert gallery.tokens([19, 0, 19]).shape == (3, 4, 3)


def test_search_agrees_with_brute_force(gallery):
    keys = np.stack([pixels(gallery, i)[::8, ::10].ravel() / 255 for i in range(20)])
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    ids, scores = gallery.search([pixels(gallery, 3), pixels(gallery, 11)], 20)
    assert ids[:, 0].tolist() == [3, 11]
    np.testing.assert_allclose(scores, np.take_along_axis(keys[[3, 11]] @ keys.T, ids, 1), atol=1e-5)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_k_beyond_the_gallery_and_exclusion(gallery):
    query = [pixels(gallery, 3)]
    assert gallery.search(query, 100)[0].shape == (1, 20)
    assert gallery.search(query, 0)[0].shape == (1, 0)
    everything = gallery.search(query, 20)[0][0]
    by_name = gallery.search(query, 5, exclude=["p003.png", "p007", "unknown"])[0][0]
    np.testing.assert_array_equal(by_name, [i for i in everything if i not in (3, 7)][:5])
    assert gallery.search(query, 100, exclude=np.arange(18))[0].shape == (1, 2)


def test_each_query_may_have_its_own_exclusion(gallery):
    ids, _ = gallery.search([pixels(gallery, 3), pixels(gallery, 11)], 3, exclude=[["p003"], [11, 5]])
    assert 3 not in ids[0] and not {5, 11} & set(ids[1])
    with pytest.raises(ValueError, match="2 queries"):
        gallery.search([pixels(gallery, 3)] * 2, 3, exclude=[["p003"]])


@pytest.mark.parametrize("call", ["tokens", "photo_path"])
@pytest.mark.parametrize("photo_id", [-1, 20])
def test_ids_outside_are_refused(gallery, call, photo_id):
    with pytest.raises(IndexError, match=f"no photo {photo_id}"):
        getattr(gallery, call)([photo_id] if call == "tokens" else photo_id)


def test_crops_are_normalised_and_padded(tmp_path, photos, retrieval):
    a, b, c = sorted(photos.iterdir())[:3]  # photos of 20x16 pixels
    items = [
        GalleryItem(a, "s", np.array([[0, 0, 10, 8], [5, 4, 20, 16]]), np.array([2.5, 4.0])),
        GalleryItem(b),
        GalleryItem(c, "s", np.array([[0, 0, 20, 16]]), np.array([1.0])),
    ]
    gallery = build_gallery(tmp_path / "g", items, retrieval, photos)
    boxes, scores, mask = gallery.crops([1, 0])
    assert boxes.shape == (2, 2, 4) and mask.tolist() == [[True, True], [False, False]]
    np.testing.assert_allclose(boxes[1], [[0.25, 0.25, 0.5, 0.5], [0.625, 0.625, 0.75, 0.75]], atol=1e-6)
    assert scores.tolist() == [[0, 0], [2.5, 4.0]] and not boxes[0].any()
    assert gallery.crops([])[0].shape == (0, 2, 4)
    assert gallery.ids_of(["s"]).tolist() == [0, 2]
    assert gallery.search([pixels(gallery, 1)], 9, exclude=["s"])[0].tolist() == [[1]]


def test_no_annotations_no_crops(gallery):
    assert gallery.crops([0, 1]) is None


def test_pickling_carries_the_folder_only(gallery):
    gallery.tokens([0])
    gallery.search([pixels(gallery, 3)], 2)
    data = pickle.dumps(gallery)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data).tokens([5]), gallery.tokens([5]))


def test_gallery_and_photos_can_be_moved_together(tmp_path, gallery):
    (tmp_path / "elsewhere").mkdir()
    for name in ("photos", "g"):
        shutil.move(tmp_path / name, tmp_path / "elsewhere" / name)
    assert Gallery.open(tmp_path / "elsewhere" / "g").verify() == []


def test_photos_alone_can_be_moved(tmp_path, gallery, photos):
    shutil.move(photos, tmp_path / "new")
    assert len(Gallery.open(gallery.folder).verify()) == 20
    assert Gallery.open(gallery.folder, photo_root=tmp_path / "new").verify() == []


FILES = [
    "index",
    "key_transform.npz",
    "tokens/{}.npy",
    "keys/{}.npy",
    "photos/{}.jsonl",
    "tokens/store.json",
    "keys/store.json",
    "manifest.json",
]


@pytest.mark.parametrize("name", FILES)
def test_verify_names_a_flipped_byte(gallery, name):
    name = name.format(gallery.manifest["extra"]["shards"][2])
    flip(gallery.folder / name, position=-2)
    assert any(name in problem for problem in gallery.verify())
    with pytest.raises(GalleryError, match="build"):
        Gallery.open(gallery.folder, verify=True)


def test_verify_names_a_flipped_byte_in_the_list_of_rejected_photos(tmp_path, photos, retrieval):
    (photos / "p004.png").write_bytes(b"")
    gallery = build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)
    flip(gallery.folder / "rejected.jsonl", position=15)
    (problem,) = gallery.verify()
    assert "rejected.jsonl" in problem


def test_a_changed_manifest_is_noticed(gallery):
    """Where the JSON is still good: a digit of a hash, the metric."""
    path = gallery.folder / "manifest.json"
    text = path.read_text()
    for old, new in (('"metric": "cosine"', '"metric": "l2"'), ('"photos": 20', '"photos": 21')):
        path.write_text(text.replace(old, new))
        assert any("manifest.json" in problem and "changed" in problem for problem in gallery.verify())
        with pytest.raises(GalleryError, match="manifest.json.*changed"):
            Gallery.open(gallery.folder)


@pytest.mark.parametrize("name", [name for name in FILES if name != "manifest.json"])
def test_verify_names_a_missing_file(gallery, name):
    name = name.format(gallery.manifest["extra"]["shards"][2])
    (gallery.folder / name).unlink()
    assert any(name in problem and "missing" in problem for problem in gallery.verify())


def test_the_index_is_never_read_unverified(gallery):
    flip(gallery.folder / "index", position=-500)
    with pytest.raises(GalleryError, match="index.*changed"):
        Gallery.open(gallery.folder).search([np.full((4, 4, 3), 9, np.uint8)], 1)


@pytest.mark.parametrize("file", ["index", "key_transform.npz"])
def test_a_file_of_another_gallery_is_refused(tmp_path, gallery, photos, retrieval, file):
    """Of another encoder with keys of the same length, and as many photos: the file itself is in order."""
    retrieval["backbone"]["salt"] = 1
    retrieval["key_transform"] = dict(type="PCA", dim=12)
    other = build_gallery(tmp_path / "other", items_from_folder(photos), retrieval, photos)
    assert other.index.dim == gallery.index.dim and len(other.index) == len(gallery.index)
    shutil.copy(other.folder / file, gallery.folder / file)
    again = Gallery.open(gallery.folder)
    with pytest.raises(GalleryError, match=f"{file}.*belongs to another gallery"):
        again.search([pixels(gallery, 0)], 1)
    assert any(file in problem for problem in again.verify())


def test_a_shard_of_another_gallery_is_refused(tmp_path, gallery, photos, retrieval):
    retrieval["backbone"]["salt"] = 1
    other = build_gallery(tmp_path / "other", items_from_folder(photos), retrieval, photos, shard_size=6)
    for store in ("keys", "tokens"):
        mine, theirs = (g.manifest["extra"]["shards"][1] for g in (gallery, other))
        shutil.copy(other.folder / store / f"{theirs}.npy", gallery.folder / store / f"{mine}.npy")
    problems = Gallery.open(gallery.folder).verify()
    assert len(problems) == 2 and all("SHA-256" in problem for problem in problems)


def test_the_transform_is_never_read_unverified(tmp_path, photos, retrieval):
    retrieval["key_transform"] = [dict(type="PCA", dim=3), dict(type="Normalise")]
    gallery = build_gallery(tmp_path / "p", items_from_folder(photos), retrieval, photos)
    query = [pixels(gallery, 3)]
    before = gallery.search(query, 5)
    again = Gallery.open(gallery.folder).search(query, 5)
    np.testing.assert_array_equal(again[0], before[0])
    np.testing.assert_array_equal(again[1], before[1])
    flip(gallery.folder / "key_transform.npz", position=200)
    with pytest.raises(GalleryError, match="key_transform.npz.*build"):
        Gallery.open(gallery.folder).search(query, 5)


def test_changed_and_missing_photos_are_named(gallery, photos):
    flip(photos / "p005.png")
    (photos / "p006.png").unlink()
    changed, missing = gallery.verify()
    assert "p005.png" in changed and "changed" in changed
    assert "p006.png" in missing and "No such file" in missing
    assert gallery.verify(photos=False) == []


def test_row_counts_must_agree(gallery):
    path = gallery.folder / "tokens" / "store.json"
    listing = json.loads(path.read_text())
    path.write_text(json.dumps({**listing, "shards": listing["shards"][:2]}))
    with pytest.raises(GalleryError, match="20 photos in the table, but 12 in tokens"):
        Gallery.open(gallery.folder)


def test_another_encoder_with_the_same_dimensions_is_refused(tmp_path, gallery, photos, retrieval):
    retrieval["backbone"]["salt"] = 1
    other = build_gallery(tmp_path / "other", items_from_folder(photos), retrieval, photos)
    assert other.token_shape == gallery.token_shape and other.fingerprint != gallery.fingerprint
    assert Gallery.open(gallery.folder, expect_fingerprint=gallery.fingerprint)
    with pytest.raises(GalleryError, match="another encoder"):
        Gallery.open(other.folder, expect_fingerprint=gallery.fingerprint)


def test_the_fingerprint_is_of_the_encoder_not_of_the_photos(tmp_path, gallery, retrieval):
    more = draw_photos(tmp_path / "more", 5, seed=1)
    other = build_gallery(tmp_path / "other", items_from_folder(more), retrieval, more)
    assert other.fingerprint == gallery.fingerprint and other.content_sha256 != gallery.content_sha256
    retrieval["key_transform"] = None
    plain = build_gallery(tmp_path / "plain", items_from_folder(more), retrieval, more)
    assert plain.fingerprint != gallery.fingerprint


def test_an_encoder_that_changed_since_is_refused(gallery, monkeypatch):
    import colour_backbone

    monkeypatch.setattr(colour_backbone.ColourBackbone, "fingerprint", "0" * 64)
    with pytest.raises(GalleryError, match="ColourBackbone now has other weights"):
        Gallery.open(gallery.folder).backbone()


@pytest.mark.parametrize("what", ["absent", "unfinished", "older", "foreign"])
def test_what_is_no_finished_gallery_is_refused(gallery, what):
    manifest = gallery.folder / "manifest.json"
    text = manifest.read_text()
    if what == "absent":
        shutil.rmtree(gallery.folder)
    elif what == "unfinished":
        manifest.unlink()
    elif what == "older":
        manifest.write_text(text.replace('"version": 2', '"version": 0'))
    else:
        manifest.write_text(text.replace('"kind": "gallery"', '"kind": "cad"'))
    with pytest.raises(GalleryError, match="procrop gallery build"):
        Gallery.open(gallery.folder)

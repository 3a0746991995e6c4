"""A gallery brought up to date: only new photos are encoded, and a fitted key transform stays as it was."""

import shutil

import numpy as np
import pytest
from colour_backbone import ColourBackbone, draw_photos

from procrop.io.manifest import sha256_file
from procrop.retrieval import Gallery, GalleryItem, build_gallery, items_from_folder


class Counting(ColourBackbone):
    """Keeps what it was given to encode."""

    def __init__(self):
        super().__init__()
        self.encoded = []

    def encode(self, images):
        self.encoded += [image.tobytes() for image in images]
        return super().encode(images)


@pytest.fixture
def pca(retrieval):
    return {**retrieval, "key_transform": [dict(type="PCA", dim=4), dict(type="Normalise")]}


def build(folder, photos, retrieval, names, **kwargs):
    items = [GalleryItem(photos / name) for name in names]
    return build_gallery(folder, items, retrieval, photos, shard_size=3, **kwargs)


NAMES = [f"p{i:03d}.png" for i in range(20)]


@pytest.mark.parametrize(
    "names",
    [
        NAMES[1:15],  # gone at the front
        [*NAMES[:4], *NAMES[6:15]],  # gone in the middle
        [NAMES[19], *NAMES[:15]],  # come at the front
        [*NAMES[:5], *NAMES[15:18], *NAMES[5:15]],  # come in the middle
        NAMES[:15][::-1],  # another order
        [*NAMES[3:9], NAMES[17], *NAMES[:2]],
    ],
)
def test_only_new_photos_are_encoded(tmp_path, photos, retrieval, names):
    gallery = build(tmp_path / "g", photos, retrieval, NAMES[:15])
    backbone = Counting()
    again = build(gallery.folder, photos, retrieval, names, backbone=backbone)
    assert len(backbone.encoded) == len(set(names) - set(NAMES[:15]))
    assert again.names == names and again.verify() == []
    fresh = build(tmp_path / "fresh", photos, retrieval, names)
    assert sha256_file(again.folder / "manifest.json") == sha256_file(fresh.folder / "manifest.json")
    assert sorted(p.name for p in again.folder.rglob("*")) == sorted(p.name for p in fresh.folder.rglob("*"))


def test_a_photo_is_known_by_its_bytes_not_by_its_name(tmp_path, photos, retrieval):
    gallery = build(tmp_path / "g", photos, retrieval, NAMES)
    tokens = gallery.tokens(range(20))
    (photos / "p003.png").rename(photos / "renamed.png")
    backbone = Counting()
    names = ["renamed.png" if name == "p003.png" else name for name in NAMES]
    again = build(gallery.folder, photos, retrieval, names, backbone=backbone)
    assert backbone.encoded == [] and again.names[3] == "renamed.png" and again.source_ids[3] == "renamed"
    np.testing.assert_array_equal(again.tokens(range(20)), tokens)


def test_new_annotations_cost_no_encoding(tmp_path, photos, retrieval):
    gallery = build(tmp_path / "g", photos, retrieval, NAMES)
    items = items_from_folder(photos)
    items[10] = GalleryItem(items[10].path, "s", np.array([[0, 0, 10, 8]]), np.array([3.0]))
    items[11] = GalleryItem(items[11].path, "s", np.array([[0, 0, np.nan, 8]]), np.array([3.0]))
    backbone = Counting()
    again = build_gallery(gallery.folder, items, retrieval, photos, shard_size=3, backbone=backbone)
    assert backbone.encoded == [] and again.source_ids[10] == "s" and len(again) == 19
    np.testing.assert_allclose(again.crops([10])[0], [[[0.25, 0.25, 0.5, 0.5]]])
    assert "crop annotations" in again.rejected[0]["reason"]


def test_a_fitted_transform_stays_frozen(tmp_path, photos, pca):
    gallery = build(tmp_path / "g", photos, pca, NAMES[:12])
    image = [np.full((8, 8, 3), 77, np.uint8)]
    before, kept = gallery.query_keys(image), (gallery.folder / "key_transform.npz").read_bytes()
    assert gallery.manifest["extra"]["fitted_on"] == {"photos": 12, "sample": 12}
    grown = build(gallery.folder, photos, pca, NAMES[4:])
    assert (grown.folder / "key_transform.npz").read_bytes() == kept
    np.testing.assert_array_equal(grown.query_keys(image), before)
    assert grown.manifest["extra"]["fitted_on"] == {"photos": 12, "sample": 12} and grown.verify() == []
    fresh = build(tmp_path / "fresh", photos, pca, NAMES[4:])
    assert fresh.manifest["extra"]["fitted_on"] == {"photos": 16, "sample": 16}
    assert np.abs(fresh.query_keys(image) - before).max() > 1e-3
    refitted = build(gallery.folder, photos, pca, NAMES[4:], refit=True)
    assert sha256_file(refitted.folder / "manifest.json") == sha256_file(fresh.folder / "manifest.json")


def test_another_transform_is_fitted_anew(tmp_path, photos, pca):
    gallery = build(tmp_path / "g", photos, pca, NAMES[:12])
    pca["key_transform"][0]["dim"] = 3
    backbone = Counting()
    again = build(gallery.folder, photos, pca, NAMES, backbone=backbone)
    fresh = build(tmp_path / "fresh", photos, pca, NAMES)
    assert len(backbone.encoded) == 8
    assert sha256_file(again.folder / "manifest.json") == sha256_file(fresh.folder / "manifest.json")


def test_a_damaged_transform_is_fitted_anew_with_a_warning(tmp_path, photos, pca, caplog):
    gallery = build(tmp_path / "g", photos, pca, NAMES)
    before = sha256_file(gallery.folder / "manifest.json")
    (gallery.folder / "key_transform.npz").write_bytes(b"no")
    again = build(gallery.folder, photos, pca, NAMES)
    assert sha256_file(again.folder / "manifest.json") == before and "fitted anew" in caplog.text


def test_the_gallery_can_be_used_while_it_is_brought_up_to_date(tmp_path, photos, retrieval):
    gallery = build(tmp_path / "g", photos, retrieval, NAMES[:12])
    seen = []

    class Looking(ColourBackbone):
        def encode(self, images):
            seen.append(Gallery.open(gallery.folder).verify())
            return super().encode(images)

    build(gallery.folder, photos, retrieval, NAMES, backbone=Looking())
    assert seen and not any(seen)


def test_an_index_is_fed_a_limited_number_of_keys(tmp_path, photos, pca, monkeypatch):
    from procrop.retrieval import gallery_finish
    from procrop.retrieval.indexes import FaissIndex

    fed, learned = [], []
    add = FaissIndex.add

    def spy(self, ids, keys):
        fed.append(ids.tolist())
        add(self, ids, keys)

    monkeypatch.setattr(FaissIndex, "add", spy)
    monkeypatch.setattr(FaissIndex, "train", lambda self, keys: learned.append(keys.copy()))
    monkeypatch.setattr(gallery_finish, "_CHUNK_ROWS", 8)
    monkeypatch.setattr(gallery_finish, "SAMPLE_ROWS", 10)
    gallery = build(tmp_path / "g", photos, pca, NAMES)
    assert fed == [list(range(8)), list(range(8, 16)), list(range(16, 20))]
    assert gallery.manifest["extra"]["fitted_on"] == {"photos": 20, "sample": 10}
    assert [keys.shape for keys in learned] == [(10, 4)]
    np.testing.assert_allclose(np.square(learned[0]).sum(1), 1, rtol=1e-5)
    twin = build(tmp_path / "twin", photos, pca, NAMES)
    assert twin.content_sha256 == gallery.content_sha256


def test_rows_of_another_encoder_are_never_taken_over(tmp_path, photos, retrieval):
    gallery = build(tmp_path / "g", photos, retrieval, NAMES)
    retrieval["backbone"]["salt"] = 1
    again = build(gallery.folder, photos, retrieval, NAMES)
    assert again.tokens([0]).min() >= 1 and again.verify(encoders=True) == []


def test_an_abandoned_list_still_helps(tmp_path, photos, retrieval, monkeypatch):
    """A build that stopped in the middle, and goes on with another list."""

    class Failing(ColourBackbone):
        left = 9

        def encode(self, images):
            self.left -= len(images)
            if self.left < 0:
                raise RuntimeError("stop")
            return super().encode(images)

    with pytest.raises(RuntimeError, match="stop"):
        build(tmp_path / "g", photos, retrieval, NAMES, backbone=Failing())
    backbone = Counting()
    again = build(tmp_path / "g", photos, retrieval, NAMES[1:], backbone=backbone)
    assert len(backbone.encoded) == 11
    fresh = build(tmp_path / "fresh", photos, retrieval, NAMES[1:])
    assert sha256_file(again.folder / "manifest.json") == sha256_file(fresh.folder / "manifest.json")


def test_an_older_format_is_built_again(tmp_path, photos, retrieval):
    gallery = build(tmp_path / "g", photos, retrieval, NAMES)
    text = (gallery.folder / "manifest.json").read_text()
    (gallery.folder / "manifest.json").write_text(text.replace('"version": 2', '"version": 1'))
    (gallery.folder / "photos" / "00000.jsonl").write_text("{}\n")
    (gallery.folder / "keys" / "00000.npy").write_bytes(b"old")
    again = build(gallery.folder, photos, retrieval, NAMES)
    assert again.verify() == [] and not (again.folder / "keys" / "00000.npy").exists()
    assert not (again.folder / "photos" / "00000.jsonl").exists()


def test_what_an_index_keeps_beside_its_file_is_no_foreign_file(tmp_path, photos, retrieval):
    """E.g. the database of an embedded Milvus."""
    folder = tmp_path / "g"
    folder.mkdir()
    (folder / "index.db").write_bytes(b"x")
    assert build(folder, photos, retrieval, NAMES).verify() == []
    shutil.rmtree(folder)
    draw_photos(folder, 1)
    with pytest.raises(ValueError, match="other files"):
        build(folder, photos, retrieval, NAMES)

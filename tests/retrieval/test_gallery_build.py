"""Builds set bad photos aside, keep what has not changed, and repeat themselves to the byte."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from colour_backbone import ColourBackbone, draw_photos

from procrop.io.manifest import sha256_file
from procrop.retrieval import Gallery, GalleryError, GalleryItem, build_gallery, items_from_folder
from procrop.retrieval.backbones.base import Embeddings

ROOT = Path(__file__).parents[2]


def build(folder, photos, retrieval, **kwargs):
    kwargs.setdefault("shard_size", 3)
    return build_gallery(folder, items_from_folder(photos), retrieval, photos, **kwargs)


def shard_of(gallery, number):
    """Name of a finished gallery's shard."""
    return gallery.manifest["extra"]["shards"][number]


class Counting(ColourBackbone):
    """Counts the photos it encodes."""

    encoded = 0

    def encode(self, images):
        self.encoded += len(images)
        return super().encode(images)


@pytest.mark.parametrize("debris", ["tokens/{}.npy", "keys/{}.npy", "photos/{}.jsonl", "index"])
def test_what_a_kill_can_leave_behind_does_no_harm(tmp_path, photos, retrieval, debris):
    """A temporary file, a shard in one store and not in the other, or an index without a manifest."""
    whole = build(tmp_path / "g", photos, retrieval)
    before = sha256_file(whole.folder / "manifest.json")
    (whole.folder / "manifest.json").unlink()
    (whole.folder / debris.format(shard_of(whole, 1))).unlink()
    (whole.folder / "tokens" / ".00009.npy.123.tmp").write_bytes(b"half")
    again = build(tmp_path / "g", photos, retrieval)
    assert sha256_file(again.folder / "manifest.json") == before
    assert again.verify() == [] and not list(again.folder.rglob("*.tmp"))


def test_an_unchanged_gallery_is_not_touched(tmp_path, photos, retrieval):
    folder = build(tmp_path / "g", photos, retrieval).folder
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*") if p.is_file()}
    backbone = Counting()
    build(folder, photos, retrieval, backbone=backbone)
    assert backbone.encoded == 0
    assert {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*") if p.is_file()} == before


def test_more_photos_cost_only_themselves(tmp_path, photos, retrieval):
    folder = build(tmp_path / "g", photos, retrieval).folder
    shutil.copytree(draw_photos(tmp_path / "more", 4, seed=9), photos / "z")
    backbone = Counting()
    grown = build(folder, photos, retrieval, backbone=backbone)
    assert backbone.encoded == 4
    fresh = build(tmp_path / "fresh", photos, retrieval)
    assert sha256_file(grown.folder / "manifest.json") == sha256_file(fresh.folder / "manifest.json")


@pytest.mark.parametrize("change", ["photo", "encoder", "removed", "crops", "shard"])
def test_whatever_changed_is_encoded_again(tmp_path, photos, retrieval, change):
    folder = build(tmp_path / "g", photos, retrieval).folder
    items = items_from_folder(photos)
    if change == "photo":
        shutil.copy(photos / "p001.png", photos / "p007.png")
    elif change == "encoder":
        retrieval["backbone"]["salt"] = 2
    elif change == "removed":
        del items[4]
    elif change == "crops":
        items[10] = GalleryItem(items[10].path, None, np.array([[0, 0, 5, 5]]), np.array([3.0]))
    else:
        path = folder / "tokens" / f"{shard_of(Gallery.open(folder), 2)}.npy"
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    again = build_gallery(folder, items, retrieval, photos, shard_size=3)
    fresh = build_gallery(tmp_path / "fresh", items, retrieval, photos, shard_size=3)
    assert sha256_file(again.folder / "manifest.json") == sha256_file(fresh.folder / "manifest.json")
    assert again.verify() == []


def test_bad_photos_are_set_aside_by_name(tmp_path, photos, retrieval):
    (photos / "p002.png").write_bytes(b"")
    (photos / "p003.png").write_text("a text")
    (photos / "p004.png").write_bytes((photos / "p005.png").read_bytes()[:60])
    items = items_from_folder(photos)
    (photos / "p006.png").unlink()
    gallery = build_gallery(tmp_path / "g", items, retrieval, photos, shard_size=3)
    assert [entry["name"] for entry in gallery.rejected] == ["p002.png", "p003.png", "p004.png", "p006.png"]
    assert all(entry["reason"] for entry in gallery.rejected)
    assert len(gallery) == 16 and gallery.names[2] == "p005.png"
    np.testing.assert_array_equal(
        gallery.tokens([2])[0], ColourBackbone().encode([np.asarray(open_rgb(photos / "p005.png"))]).tokens[0]
    )
    assert gallery.verify() == []


def open_rgb(path):
    from PIL import Image

    return Image.open(path).convert("RGB")


def test_photos_without_a_usable_embedding_are_set_aside(tmp_path, photos, retrieval):
    class Broken(ColourBackbone):
        def encode(self, images):
            found = super().encode(images)
            keys = found.keys.copy()
            for i, image in enumerate(images):
                if (image == np.asarray(open_rgb(photos / "p001.png"))).all():
                    keys[i, 2] = np.nan
                elif (image == np.asarray(open_rgb(photos / "p008.png"))).all():
                    keys[i] = 0
            return Embeddings(keys, found.tokens)

    gallery = build(tmp_path / "g", photos, retrieval, backbone=Broken())
    reasons = {entry["name"]: entry["reason"] for entry in gallery.rejected}
    assert sorted(reasons) == ["p001.png", "p008.png"]
    assert "NaN" in reasons["p001.png"] and "all-zero" in reasons["p008.png"]


def test_nothing_usable_is_an_error(tmp_path, retrieval):
    folder = tmp_path / "bad"
    folder.mkdir()
    with pytest.raises(ValueError, match="no photo"):
        build(tmp_path / "g", folder, retrieval)
    (folder / "a.png").write_bytes(b"")
    with pytest.raises(GalleryError, match="none of 1 photos can be used.*a.png"):
        build(tmp_path / "g", folder, retrieval)


def test_nothing_usable_leaves_the_gallery_as_it_was(tmp_path, photos, retrieval):
    gallery = build(tmp_path / "g", photos, retrieval)
    (photos / "bad.png").write_bytes(b"")
    with pytest.raises(GalleryError, match="none of 1"):
        build_gallery(gallery.folder, [GalleryItem(photos / "bad.png")], retrieval, photos)
    assert Gallery.open(gallery.folder).content_sha256 == gallery.content_sha256


def test_a_photo_that_changes_under_the_build_is_set_aside(tmp_path, retrieval):
    photos = draw_photos(tmp_path / "many", 40)  # more than are read at once

    class Meddling(ColourBackbone):
        def encode(self, images):
            shutil.copy(photos / "p000.png", photos / "p039.png")
            return super().encode(images)

    gallery = build(tmp_path / "g", photos, retrieval, backbone=Meddling(), workers=1)
    assert [entry["name"] for entry in gallery.rejected] == ["p039.png"]
    assert "changed since the build began" in gallery.rejected[0]["reason"]
    assert gallery.verify() == []
    assert len(build(tmp_path / "g", photos, retrieval)) == 40


def test_names_and_duplicates(tmp_path, photos, retrieval):
    """Equal names in different folders, and names that are not UTF-8, have spaces or line breaks."""
    for name in (b"sub/p000.png", b"a b.png", b"line\nbreak.png", b"caf\xe9.png"):
        path = photos / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        shutil.copy(photos / "p000.png", path)
    gallery = build(tmp_path / "g", photos, retrieval)
    assert len(gallery) == 24 and {"p000.png", "sub/p000.png", "caf\udce9.png", "line\nbreak.png"} <= set(
        gallery.names
    )
    assert gallery.verify() == []
    same = gallery.search([np.asarray(open_rgb(photos / "p000.png"))], 5)[0][0]
    assert same.tolist() == sorted(gallery.ids_by_sha256[sha256_file(photos / "p000.png")])
    with pytest.raises(GalleryError, match="given twice"):
        build_gallery(tmp_path / "h", [GalleryItem(photos / "p000.png")] * 2, retrieval, photos)
    with pytest.raises(GalleryError, match="not inside"):
        build_gallery(tmp_path / "h", [GalleryItem(photos / "p000.png")], retrieval, photos / "sub")


def test_a_folder_in_use_is_refused(tmp_path, photos, retrieval):
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "thesis.tex").write_text("mine")
    with pytest.raises(GalleryError, match="thesis.tex"):
        build(tmp_path / "g", photos, retrieval)
    with pytest.raises(GalleryError, match="p000.png|photo folder"):
        build(photos, photos, retrieval)
    (tmp_path / "g" / "manifest.json").write_text('{"kind": "cad dataset"}')
    with pytest.raises(GalleryError, match="holds a cad dataset"):
        build(tmp_path / "g", photos, retrieval)


def test_keys_from_tokens_need_mean_pool(tmp_path, photos):
    retrieval = dict(backbone=dict(type="ColourBackbone", keys=False))
    with pytest.raises(ValueError, match="MeanPool"):
        build(tmp_path / "g", photos, retrieval)
    retrieval["key_transform"] = [dict(type="MeanPool"), dict(type="Normalise")]
    gallery = build(tmp_path / "g", photos, retrieval)
    image = np.asarray(open_rgb(photos / "p004.png"))
    np.testing.assert_allclose(
        gallery.query_keys([image])[0] * np.linalg.norm(image.mean((0, 1)) / 255),
        image.mean((0, 1)) / 255,
        atol=1e-3,
    )
    assert gallery.search([image], 1)[0].tolist() == [[4]]


def test_settings_that_mean_nothing_are_refused(tmp_path, photos, retrieval):
    with pytest.raises(ValueError, match="key_transfrom"):
        build(tmp_path / "g", photos, {**retrieval, "key_transfrom": None})
    with pytest.raises(ValueError, match="no backbone"):
        build(tmp_path / "g", photos, {})
    with pytest.raises(ValueError, match="shard_size"):
        build(tmp_path / "g", photos, retrieval, shard_size=0)


def test_progress_has_total(tmp_path, photos, retrieval, capsys):
    build(tmp_path / "g", photos, retrieval)
    assert "20/20" in capsys.readouterr().err.splitlines()[-1]


def test_the_real_encoder_finds_the_photo_itself(tmp_path):
    """Photos that come with scikit-image, through the shipped config."""
    import skimage.data
    from mmengine.config import Config
    from PIL import Image

    (tmp_path / "photos").mkdir()
    for name in ("chelsea", "coffee", "astronaut", "rocket"):
        Image.fromarray(getattr(skimage.data, name)()).save(tmp_path / "photos" / f"{name}.png")
    config = Config.fromfile(ROOT / "configs/_base_/retrieval/efficientnet_lite0.py").to_dict()["retrieval"]
    gallery = build(tmp_path / "g", tmp_path / "photos", config)
    assert gallery.token_shape == (16, 112)
    mirrored = skimage.data.chelsea()[:, ::-1]
    ids, scores = gallery.search([mirrored, skimage.data.coffee()], 4)
    assert [gallery.names[i] for i in ids[:, 0]] == ["chelsea.png", "coffee.png"]
    assert 0.8 < scores[0, 0] < 0.9999 < scores[1, 0] < 1.0001

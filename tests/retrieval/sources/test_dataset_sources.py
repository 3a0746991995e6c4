"""CGL, Unsplash Lite, CPC and GAICD as sources of gallery photos."""

import json

import numpy as np
import pytest
from colour_backbone import draw_photos

from procrop.retrieval import build_gallery
from procrop.retrieval.sources import (
    CGLSource,
    CPCSource,
    GAICDSource,
    GallerySourceError,
    UnsplashLiteSource,
)


def names(source):
    return [item.path.name for item in source.items()]


def write_cgl(path, entries):
    images = [dict(id=i, file_name=name, width=513, height=750) for i, name in entries]
    path.write_text(json.dumps(dict(images=images, annotations=[], categories=[])))


@pytest.fixture
def cgl(tmp_path):
    draw_photos(tmp_path / "images", 2)
    draw_photos(tmp_path / "images" / "layout_imgs_6w_2", 4)
    write_cgl(tmp_path / "layout_train_6w_fixed_v2.json", [(5, "p000.png"), (2, "p003.png"), (9, "p001.png")])
    write_cgl(tmp_path / "layout_test_6w_fixed_v2.json", [(1, "p002.png")])
    return tmp_path


def test_cgl_lists_posters_file_by_file_by_id(cgl):
    source = CGLSource(cgl)
    assert names(source) == ["p003.png", "p000.png", "p001.png", "p002.png"] and source.report == {}
    found = {item.path.name: item.path.parent.name for item in source.items()}
    assert found["p003.png"] == "layout_imgs_6w_2" and found["p000.png"] == "images"
    one = CGLSource(cgl, annotations=["layout_test_6w_fixed_v2.json"])
    assert names(one) == ["p002.png"]


def test_cgl_reports_what_it_cannot_use(cgl):
    path = cgl / "layout_train_6w_fixed_v2.json"
    write_cgl(
        path, [(1, "p000.png"), (2, "p000.png"), (3, "gone.png"), (4, "../p000.png"), ("5", "p001.png")]
    )
    content = json.loads(path.read_text())
    content["images"].append(7)
    path.write_text(json.dumps(content))
    source = CGLSource(cgl)
    assert names(source) == ["p000.png", "p002.png"]
    assert source.report == {
        "poster listed twice": [f"{path}:images[1]"],
        "poster not on the disk": [str(cgl / "images" / "gone.png")],
        "no whole number 'id' and plain 'file_name'": [f"{path}:images[{i}]" for i in (3, 4, 5)],
    }
    path.write_text("[]")
    with pytest.raises(GallerySourceError, match="layout_train_6w_fixed_v2.json: not CGL"):
        source.items()


UNSPLASH = (
    "photo_id\tphoto_url\tphoto_description\n"
    "aB-1\thttps://u/1\tplain\n"
    'c_2\thttps://u/2\t"two\nlines, and a\ttab"\n'
    "d3\thttps://u/3\n"
    "../e\thttps://u/4\tx\n"
    "f5\thttps://u/5\tx\n"
    "aB-1\thttps://u/1\tagain\n"
)


@pytest.fixture
def unsplash(tmp_path):
    (tmp_path / "photos.tsv000").write_text(UNSPLASH)
    (tmp_path / "images").mkdir()
    for name in ("aB-1", "c_2", "d3"):
        (tmp_path / "images" / f"{name}.jpg").write_bytes(b"x")
    return tmp_path


def test_unsplash_takes_the_table_in_its_order(unsplash):
    source = UnsplashLiteSource(unsplash)
    assert names(source) == ["aB-1.jpg", "c_2.jpg"] and source.root == unsplash / "images"
    table = unsplash / "photos.tsv000"
    assert source.report == {
        "not 3 columns": [f"{table}:5"],
        "photo_id that is no id": [f"{table}:6"],
        "photo not on the disk": [str(unsplash / "images" / "f5.jpg")],
        "photo listed twice": [f"{table}:8"],
    }


def test_unsplash_in_another_place(unsplash):
    (unsplash / "aB-1").mkdir()
    (unsplash / "images" / "aB-1.jpg").rename(unsplash / "aB-1" / "full.jpg")
    (unsplash / "photos.tsv000").rename(unsplash / "photos.csv000")
    source = UnsplashLiteSource(unsplash, pattern="{photo_id}/full.jpg")
    assert names(source) == ["full.jpg"] and source.root == unsplash
    with pytest.raises(ValueError, match="photo_id"):
        UnsplashLiteSource(unsplash, pattern="images/photo.jpg")
    (unsplash / "photos.csv000").write_text("id\n1\n")
    with pytest.raises(GallerySourceError, match="photos.csv000:1: no column photo_id"):
        source.items()
    (unsplash / "photos.csv000").unlink()
    with pytest.raises(GallerySourceError, match="photos.tsv000: not found"):
        source.items()


@pytest.fixture
def cpc(tmp_path):
    draw_photos(tmp_path / "images", 4)
    (tmp_path / "CollectedAnnotationsRaw").mkdir()
    for i in range(3):
        content = {"bboxes": [[0, 0, 10, 8], [5, 4, 20, 16]], "scores": [[i, 1], [i, 2]]}
        path = tmp_path / "CollectedAnnotationsRaw" / f"p{i:03d}.png.txt"
        path.write_text(json.dumps(json.dumps(content)))
    return tmp_path


def test_cpc_brings_its_crops(tmp_path, cpc, retrieval):
    source = CPCSource(cpc)
    gallery = build_gallery(tmp_path / "g", source.items(), retrieval, source.root)
    assert gallery.names == ["p000.png", "p001.png", "p002.png"] and gallery.source_ids[2] == "p002"
    boxes, scores, _ = gallery.crops([2])
    np.testing.assert_allclose(boxes[0, 0], [0.25, 0.25, 0.5, 0.5])
    assert scores[0].tolist() == [2.0, 1.5] and source.report == {}


def test_cpc_reports_what_it_cannot_use(cpc):
    (cpc / "CollectedAnnotationsRaw" / "gone.jpg.txt").write_text("x")
    (cpc / "CollectedAnnotationsRaw" / "p001.png.txt").write_text("x")
    source = CPCSource(cpc)
    assert names(source) == ["p000.png", "p002.png"]
    assert source.report == {
        "photo not on the disk": [str(cpc / "images" / "gone.jpg")],
        "damaged annotation": [f"{cpc / 'CollectedAnnotationsRaw' / 'p001.png.txt'}:1"],
    }
    (cpc / "train.txt").write_text("p002.png\np003.png\n")
    chosen = CPCSource(cpc, names="train.txt")
    assert names(chosen) == ["p002.png"] and list(chosen.report) == ["annotation not on the disk"]


@pytest.fixture
def gaicd(tmp_path):
    for split, first in (("train", 0), ("val", 10), ("test", 20)):
        draw_photos(tmp_path / "images" / split, 3, seed=first)
        (tmp_path / "annotations" / split).mkdir(parents=True)
        for i in range(3):
            old = tmp_path / "images" / split / f"p{i:03d}.png"
            old.rename(old.with_name(f"{first + i}.png"))
            path = tmp_path / "annotations" / split / f"{first + i}.txt"
            path.write_text("0 0 8 10 2.5\n4 5 16 20 4\n0 0 16 20 -2\n")
    return tmp_path


def test_gaicd_gives_train_with_its_crops(tmp_path, gaicd, retrieval):
    source = GAICDSource(gaicd)
    items = source.items()
    assert source.root == gaicd / "images" / "train" and source.report == {}
    gallery = build_gallery(tmp_path / "g", items, retrieval, source.root)
    assert gallery.names == ["0.png", "1.png", "2.png"] and gallery.source_ids == ["0", "1", "2"]
    boxes, scores, mask = gallery.crops([1])
    np.testing.assert_allclose(boxes[0], [[0.25, 0.25, 0.5, 0.5], [0.625, 0.625, 0.75, 0.75]])
    assert scores[0].tolist() == [2.5, 4.0] and not mask.any()


@pytest.mark.parametrize("split", ["val", "test"])
def test_gaicd_refuses_what_models_are_measured_on(gaicd, split):
    with pytest.raises(ValueError, match=f"split '{split}' of GAICD is for measuring.*allow_held_out"):
        GAICDSource(gaicd, split=split)
    assert len(GAICDSource(gaicd, split=split, allow_held_out=True).items()) == 3


def test_gaicd_leaves_out_what_its_lists_hold_out(gaicd):
    """As in version 1, whose validation photos lie under train."""
    (gaicd / "splits").mkdir()
    (gaicd / "splits" / "val.txt").write_text("10\n1.jpg\n")
    source = GAICDSource(gaicd)
    assert [item.source_id for item in source.items()] == ["0", "2"]
    assert source.report == {"photo of train that is held out": [f"{gaicd / 'splits' / 'val.txt'}:2"]}


def test_gaicd_reports_bad_lines(gaicd):
    path = gaicd / "annotations" / "train" / "0.txt"
    path.write_text("0 0 8 10 2.5\n1 2 3\n")
    source = GAICDSource(gaicd)
    assert len(source.items()[0].scores) == 1
    assert source.report == {"not 5 numbers 'y1 x1 y2 x2 MOS'": [f"{path}:2"]}


@pytest.mark.realdata
def test_gaicd_on_the_real_photos(procrop_data):
    root = procrop_data / "gaicd_v1"
    source = GAICDSource(root, version="v1")
    found = {item.source_id for item in source.items()}
    for split in ("val", "test"):
        if (root / "splits" / f"{split}.txt").is_file():
            held_out = (root / "splits" / f"{split}.txt").read_text().split()
            assert held_out and not found & {name.removesuffix(".jpg") for name in held_out}
    assert found and all(len(item.crops) == len(item.scores) > 0 for item in source.items())

"""Galleries built in several processes: the same bytes as in one, or a clear error."""

import shutil

import pytest
from colour_backbone import ColourBackbone, draw_photos

from procrop.io.manifest import sha256_file
from procrop.retrieval import (
    GalleryError,
    GalleryItem,
    build_gallery,
    build_part,
    build_share,
    gallery_builder,
    items_from_folder,
    merge_parts,
)


def manifest(gallery):
    return sha256_file(gallery.folder / "manifest.json")


@pytest.fixture
def whole(tmp_path, photos, retrieval):
    return build_gallery(tmp_path / "whole", items_from_folder(photos), retrieval, photos, shard_size=3)


def part(folder, photos, retrieval, rank, processes, items=None, **kwargs):
    items = items_from_folder(photos) if items is None else items
    return build_part(folder, items, retrieval, photos, rank, processes, shard_size=3, **kwargs)


@pytest.fixture
def parts(tmp_path, photos, retrieval):
    folders = [tmp_path / f"part{rank}" for rank in range(3)]
    # shards of 3 photos, dealt in turn: 0 3 6, 1 4, 2 5
    built = [part(f, photos, retrieval, rank, 3) for rank, f in enumerate(folders)]
    assert [(p.folder, p.photos, p.rejected) for p in built] == [
        (f, n, []) for f, n in zip(folders, (8, 6, 6), strict=True)
    ]
    return folders


@pytest.mark.parametrize("processes", [2, 3, 12])
def test_shares_end_as_one_build(tmp_path, photos, retrieval, whole, processes):
    folder = tmp_path / "g"
    work = items_from_folder(photos), retrieval, photos
    for rank in range(1, processes):
        build_share(folder, *work, rank, processes, shard_size=3)
    gallery = build_gallery(folder, *work, processes=processes, shard_size=3)
    assert manifest(gallery) == manifest(whole) and gallery.verify() == []
    assert sorted(p.name for p in folder.rglob("*")) == sorted(p.name for p in whole.folder.rglob("*"))


def test_shares_run_side_by_side(builds, tmp_path, photos, whole):
    job = dict(photos=photos, folder=tmp_path / "g", processes=3, delay=0.01)
    processes = [builds.start(**job, rank=rank) for rank in range(3)]
    for process in processes:
        code, words = builds.wait(process)
        assert code == 0, words
    assert sha256_file(tmp_path / "g" / "manifest.json") == manifest(whole)


def test_shares_of_an_update(tmp_path, photos, retrieval, whole):
    """The photos that are there already are not encoded again by any process."""
    folder, items = tmp_path / "g", items_from_folder(photos)
    build_gallery(folder, items[:4] + items[5:], retrieval, photos, shard_size=3)

    class OneOnly(ColourBackbone):
        def encode(self, images):
            assert len(images) == 1
            return super().encode(images)

    build_share(folder, items, retrieval, photos, 1, 2, shard_size=3, backbone=OneOnly())
    gallery = build_gallery(folder, items, retrieval, photos, processes=2, shard_size=3, backbone=OneOnly())
    assert manifest(gallery) == manifest(whole)


def test_shares_of_another_number_of_processes_are_used(tmp_path, photos, retrieval, whole):
    folder, work = tmp_path / "g", (items_from_folder(photos), retrieval, photos)
    for rank in (1, 2, 3):
        build_share(folder, *work, rank, 4, shard_size=3)
    encoded = []

    class Counting(ColourBackbone):
        def encode(self, images):
            encoded.append(len(images))
            return super().encode(images)

    gallery = build_gallery(folder, *work, shard_size=3, backbone=Counting())
    assert sum(encoded) == 6 and manifest(gallery) == manifest(whole)


def test_a_damaged_share_is_not_taken(tmp_path, photos, retrieval, whole):
    folder, work = tmp_path / "g", (items_from_folder(photos), retrieval, photos)
    build_share(folder, *work, 1, 2, shard_size=3)
    victim = next((folder / "parts" / "1" / "tokens").iterdir())
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    assert manifest(build_gallery(folder, *work, shard_size=3)) == manifest(whole)


def test_a_process_that_is_gone_is_named(tmp_path, photos, retrieval, monkeypatch):
    monkeypatch.setattr(gallery_builder, "PATIENCE", 0.2)
    with pytest.raises(GalleryError, match=r"process 1 of 2 .*has not finished its share of 3 shard"):
        build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos, processes=2, shard_size=3)
    with pytest.raises(ValueError, match="process 2 of 2"):
        build_share(tmp_path / "g", items_from_folder(photos), retrieval, photos, 2, 2)


def test_parts_merge_into_the_same_gallery(tmp_path, parts, whole):
    gallery = merge_parts(tmp_path / "g", [parts[2], parts[0], parts[1]])
    assert manifest(gallery) == manifest(whole) and gallery.verify() == []
    again = merge_parts(tmp_path / "g", parts)
    assert manifest(again) == manifest(whole)


def test_parts_may_come_from_elsewhere(tmp_path, photos, parts, whole):
    (tmp_path / "far" / "away").mkdir(parents=True)
    moved = [shutil.copytree(folder, tmp_path / "far" / "away" / folder.name) for folder in parts]
    gallery = merge_parts(tmp_path / "g", moved, photo_root=photos)
    assert manifest(gallery) == manifest(whole)
    with pytest.raises(GalleryError, match="holds other files"):
        merge_parts(photos, parts)


def test_a_part_is_resumable_and_kept_up_to_date(tmp_path, photos, retrieval, parts, whole):
    (parts[1] / "manifest.json").unlink()
    before = sha256_file(parts[0] / "manifest.json")
    encoded = []

    class Counting(ColourBackbone):
        def encode(self, images):
            encoded.append(len(images))
            return super().encode(images)

    part(parts[1], photos, retrieval, 1, 3, backbone=Counting())
    part(parts[0], photos, retrieval, 0, 3, backbone=Counting())
    assert encoded == [] and sha256_file(parts[0] / "manifest.json") == before
    assert manifest(merge_parts(tmp_path / "g", parts)) == manifest(whole)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "part 2/3 is missing"),
        ("twice", "part 1/3 is given twice"),
        ("unfinished", "part1.*never built to its end.*--shard"),
        ("flipped", "part1.*changed.*build this part again"),
        ("encoder", "part1: made by another encoder"),
        ("list", "part1: was built from another list"),
        ("index", "part1: was built from another list of photos, config"),
        ("number", "part1: was built from another list of photos, config, shard size or number of parts"),
        ("none", "no parts"),
        ("gallery", "describes a 'gallery'"),
    ],
)
def test_parts_that_do_not_belong_together(tmp_path, photos, retrieval, parts, whole, damage, message):
    given = parts
    if damage == "missing":
        given = parts[:2]
    elif damage == "twice":
        given = [parts[0], parts[1], parts[1]]
    elif damage == "unfinished":
        (parts[1] / "manifest.json").unlink()
    elif damage == "flipped":
        victim = next((parts[1] / "keys").iterdir())
        victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    elif damage == "encoder":
        part(parts[1], photos, {**retrieval, "backbone": dict(type="ColourBackbone", salt=3)}, 1, 3)
    elif damage == "list":
        part(parts[1], photos, retrieval, 1, 3, items_from_folder(photos)[1:])
    elif damage == "index":
        part(parts[1], photos, {**retrieval, "index": dict(type="FaissIndex", factory="Flat")}, 1, 3)
    elif damage == "number":
        part(parts[1], photos, retrieval, 1, 2)
    elif damage == "none":
        given = []
    else:
        given = [parts[0], whole.folder]
    with pytest.raises(GalleryError, match=message):
        merge_parts(tmp_path / "g", given)
    assert not (tmp_path / "g" / "manifest.json").exists()


def test_a_photo_in_two_parts_is_named(tmp_path, photos, retrieval, parts):
    """Cannot come about by itself: a part's list is made to say that it is of the others' list."""
    import json

    from procrop.io.manifest import sha256_json

    other = draw_photos(tmp_path / "other", 20, seed=5)
    for path in photos.iterdir():
        shutil.copy(path, other / path.name)
    items = [GalleryItem(other / f"p{i:03d}.png") for i in (*range(3, 6), *range(3), *range(6, 20))]
    build_part(tmp_path / "forged", items, retrieval, other, 1, 3, shard_size=3)
    path = tmp_path / "forged" / "manifest.json"
    forged, right = json.loads(path.read_text()), json.loads((parts[1] / "manifest.json").read_text())
    forged["extra"]["whole"] = right["extra"]["whole"]
    forged["sha256"] = sha256_json({k: v for k, v in forged.items() if k != "sha256"})
    path.write_text(json.dumps(forged))
    with pytest.raises(GalleryError, match=r"photo 'p00[0-2].png' is in .*part0 too"):
        merge_parts(tmp_path / "g", [parts[0], tmp_path / "forged", parts[2]])


def test_folders_are_not_mixed_up(tmp_path, photos, retrieval, parts, whole):
    with pytest.raises(GalleryError, match="holds a gallery part"):
        build_gallery(parts[0], items_from_folder(photos), retrieval, photos)
    with pytest.raises(GalleryError, match="holds a gallery;"):
        part(whole.folder, photos, retrieval, 0, 2)


def test_a_merge_that_does_not_fit_is_refused_at_once(tmp_path, parts, monkeypatch):
    from procrop.retrieval import gallery_cost

    # the parts are on the same disk: only the index of 20 keys of 56 bytes is new
    def free(number):
        usage = shutil._ntuple_diskusage(9, 9, number)
        monkeypatch.setattr(gallery_cost.shutil, "disk_usage", lambda path: usage)

    free(20 * 56 - 1)
    with pytest.raises(GalleryError, match="rows of 0 photos and the index"):
        merge_parts(tmp_path / "g", parts)
    assert not any(path.is_file() for path in (tmp_path / "g").rglob("*"))
    free(20 * 56)
    assert len(merge_parts(tmp_path / "g", parts)) == 20

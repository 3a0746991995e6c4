"""Builds survive kill -9, rivals, full disks and folders that cannot be written."""

import os
import random
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from build_server import BuildServer
from colour_backbone import ColourBackbone, draw_photos

from procrop.io.manifest import sha256_file
from procrop.retrieval import Gallery, GalleryError, GalleryItem, build_gallery, items_from_folder

NOBODY = 65534
PCA = dict(
    backbone=dict(type="ColourBackbone"), key_transform=[dict(type="PCA", dim=3), dict(type="Normalise")]
)


class Counting(ColourBackbone):
    encoded = 0

    def encode(self, images):
        self.encoded += len(images)
        return super().encode(images)


def build(folder, photos, retrieval, names=None, **kwargs):
    items = items_from_folder(photos) if names is None else [GalleryItem(photos / name) for name in names]
    return build_gallery(folder, items, retrieval, photos, shard_size=3, **kwargs)


def manifest(folder):
    return sha256_file(folder / "manifest.json")


def contents(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def shards_in(folder):
    return sorted(path.stem for path in (folder / "photos").glob("*.jsonl"))


def wait_for(condition, seconds=600.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def kill_at_random(builds: BuildServer, tmp_path, photos, retrieval, number):
    """Kill ``number`` builds at random moments; every one must end as if nothing had happened."""
    whole = build(tmp_path / "whole", photos, retrieval)
    # 20 photos take 0.6 s at least, and what comes after them a little more
    delay, seconds = 0.03, 0.75
    moments, unfinished = random.Random(3), 0
    for i in range(number):
        folder = tmp_path / f"killed{i}"
        process = builds.start(photos=photos, folder=folder, delay=delay)
        time.sleep(moments.uniform(0, seconds))
        builds.kill(process)
        unfinished += not (folder / "manifest.json").exists()
        resumed = build(folder, photos, retrieval)
        assert manifest(folder) == manifest(whole.folder), f"kill {i}"
        assert contents(folder) == contents(whole.folder) and resumed.verify() == []
    assert unfinished > number / 2, "most kills came too late to say anything"


def test_kills_at_random_moments(builds, tmp_path, photos, retrieval):
    kill_at_random(builds, tmp_path, photos, retrieval, 6)


@pytest.mark.slow
def test_many_kills_at_random_moments(builds, tmp_path, photos, retrieval):
    kill_at_random(builds, tmp_path, photos, retrieval, 20)


def test_a_resumed_build_keeps_finished_shards(builds, tmp_path, photos, retrieval):
    folder = tmp_path / "g"
    process = builds.start(photos=photos, folder=folder, delay=0.05)
    wait_for(lambda: len(shards_in(folder)) >= 3)
    builds.kill(process)
    assert (folder / "build.lock").exists()
    with pytest.raises(GalleryError, match="never built to its end"):
        Gallery.open(folder)
    backbone = Counting()
    build(folder, photos, retrieval, backbone=backbone)
    assert backbone.encoded <= 11, "finished shards were encoded again"


def test_kills_at_every_rename_of_the_last_stage(builds, tmp_path, photos):
    """Lists of rows, transform, index and manifest of a small gallery: whichever comes last before the kill."""
    for path in sorted(photos.iterdir())[6:]:
        path.unlink()
    whole = build(tmp_path / "whole", photos, PCA)
    died, survived = 0, False
    for number in range(5, 30):
        folder = tmp_path / f"killed{number}"
        code, words = builds.run(photos=photos, folder=folder, retrieval=PCA, die_at=number)
        survived = code == 0
        died += not survived
        assert build(folder, photos, PCA).verify() == [], words
        assert manifest(folder) == manifest(whole.folder)
        assert contents(folder) == contents(whole.folder)
        if survived:
            break
    assert died >= 6 and survived


def test_kills_during_an_update(builds, tmp_path, photos):
    """Photos come and go in the middle; a fitted transform must stay as it was, kill or no kill."""
    names = sorted(path.name for path in photos.iterdir())
    before, after = names[:14], names[:2] + names[5:8] + names[15:] + names[8:14]
    base = build(tmp_path / "base", photos, PCA, before)
    shutil.copytree(base.folder, tmp_path / "whole")
    whole = build(tmp_path / "whole", photos, PCA, after)
    assert len(whole) == 16 and whole.manifest["extra"]["fitted_on"]["photos"] == 14
    usable = 0
    for number in range(1, 60, 3):
        folder = tmp_path / f"killed{number}"
        shutil.copytree(base.folder, folder)
        code, words = builds.run(photos=photos, folder=folder, names=after, retrieval=PCA, die_at=number)
        try:
            # until the last stage the gallery is what it was before
            assert Gallery.open(folder).verify() == []
            usable += code != 0
        except GalleryError:
            pass
        assert build(folder, photos, PCA, after).verify() == [], words
        assert manifest(folder) == manifest(whole.folder), f"rename {number}"
        assert contents(folder) == contents(whole.folder)
        if code == 0:
            break
    assert code == 0 and usable >= 3


@pytest.mark.parametrize("victim", [0, 1])
def test_kills_of_one_of_two_processes(builds, tmp_path, photos, retrieval, victim):
    whole = build(tmp_path / "whole", photos, retrieval)
    folder = tmp_path / "g"
    job = dict(photos=photos, folder=folder, processes=2)
    for die_at in (2, 8):
        processes = [
            builds.start(**job, rank=rank, die_at=die_at if rank == victim else 0) for rank in (0, 1)
        ]
        assert builds.wait(processes[victim])[0] == -9
        if victim == 1:
            # the first process waits for the other one's share: as torchrun does, stop it too
            os.kill(processes[0], 9)
        builds.wait(processes[1 - victim])
        assert not (folder / "manifest.json").exists()
    processes = [builds.start(**job, rank=rank) for rank in (0, 1)]
    assert [builds.wait(process)[0] for process in processes] == [0, 0]
    assert manifest(folder) == manifest(whole.folder)
    assert contents(folder) == contents(whole.folder)


def test_a_second_builder_is_told_to_wait(builds, tmp_path, photos, retrieval):
    folder = tmp_path / "g"
    process = builds.start(photos=photos, folder=folder, delay=0.05)
    wait_for(lambda: shards_in(folder))
    with pytest.raises(GalleryError, match=f"another process.*{process}"):
        build(folder, photos, retrieval)
    code, words = builds.wait(process)
    assert code == 0, words
    assert Gallery.open(folder).verify() == [] and not (folder / "build.lock").exists()


# bytes that a file may have: shards fit and the index does not; nothing fits
@pytest.mark.parametrize("file_size", [1300, 200])
def test_a_full_disk_keeps_what_is_finished(builds, tmp_path, photos, retrieval, file_size):
    """A process that may not write larger files stands for a full disk."""
    folder = tmp_path / "g"
    code, words = builds.run(photos=photos, folder=folder, file_size=file_size)
    assert code == 1 and "OSError" in words and "free some space and run the same build again" in words
    assert not (folder / "manifest.json").exists() and not (folder / "index").exists()
    assert not list(folder.rglob("*.tmp"))
    backbone = Counting()
    again = build(folder, photos, retrieval, backbone=backbone)
    assert again.verify() == [] and backbone.encoded == (0 if file_size == 1300 else 20)


def test_a_disk_that_fills_up_during_an_update_leaves_the_gallery_usable(builds, tmp_path, photos, retrieval):
    names = sorted(path.name for path in photos.iterdir())
    gallery = build(tmp_path / "g", photos, retrieval, names[:12])
    code, words = builds.run(photos=photos, folder=gallery.folder, file_size=200)
    assert code == 1 and "free some space" in words
    again = Gallery.open(gallery.folder)
    assert again.content_sha256 == gallery.content_sha256 and again.verify() == []


def test_too_little_space_is_said_before_anything_is_encoded(tmp_path, photos, retrieval, monkeypatch):
    from procrop.retrieval import gallery_cost

    monkeypatch.setattr(gallery_cost.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 2000))
    backbone = Counting()
    with pytest.raises(GalleryError, match="2.6 kB are needed for the rows of 20 photos.*2.0 kB are free"):
        build(tmp_path / "g", photos, retrieval, backbone=backbone)
    assert backbone.encoded == 0


@pytest.mark.parametrize("where", ["file", "below a file"])
def test_a_place_that_cannot_be_written(tmp_path, photos, retrieval, where):
    (tmp_path / "taken").write_text("mine")
    folder = tmp_path / "taken" if where == "file" else tmp_path / "taken" / "g"
    with pytest.raises(GalleryError, match="taken.*cannot be written"):
        build(folder, photos, retrieval)
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.fixture
def open_folder():
    """A folder that every user may reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.parametrize("what", ["new", "finished"])
def test_a_read_only_folder(builds, open_folder, retrieval, what):
    """Modes do not bind root, so the build becomes a user whom they bind."""
    photos = draw_photos(open_folder / "photos", 6)
    folder = open_folder / "g"
    folder.mkdir()
    if what == "finished":
        names = ["p000.png", "p001.png"]
        before = build(folder, photos, retrieval, names).content_sha256
    os.chmod(folder, 0o555)
    user = {"uid": NOBODY} if os.getuid() == 0 else {}
    code, words = builds.run(photos=photos, folder=folder, **user)
    assert code == 1 and "GalleryError" in words and "cannot be written" in words, words
    os.chmod(folder, 0o755)
    if what == "finished":
        assert Gallery.open(folder).content_sha256 == before and Gallery.open(folder).verify() == []
    else:
        assert list(folder.iterdir()) == []

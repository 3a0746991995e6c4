"""Every kind of photo, good and bad, in one folder and one run of the command around a real, tiny cropper."""

import builtins
import csv
import os
from pathlib import Path

import numpy as np
import pytest
import tiny_cropper
from faulty_photos import KINDS, ORIENTATION, PROFILE, write_all
from half_cropper import read_lines
from PIL import Image

from procrop.apis.cli import main
from procrop.apis.cropping import run_jobs
from procrop.io import read_photo

GOOD = [name for name, kind in KINDS.items() if kind.reason is None]
BAD = [name for name, kind in KINDS.items() if kind.reason is not None]


class _Run:
    """What came of one run over all kinds."""

    def __init__(self, root):
        self.photos, self.out = root / "in", root / "out"
        write_all(self.photos)
        checkpoint = str(tiny_cropper.write_checkpoint(root))
        words = [str(self.photos), "--out", str(self.out), "--checkpoint", checkpoint, "--top-k", "2"]
        self.code = main(["crop", *words, "--import", "tiny_cropper"])
        self.lines = {line["name"]: line for line in read_lines(self.out)}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The run; two photos vanish in its course, and one may not be read."""
    read, write, opened = run_jobs._read, run_jobs.PhotoFiles.write, builtins.open

    def read_once(job):
        if job.name == "vanished.png":
            job.path.unlink()
        return read(job)

    def write_once(self, answered):
        if answered.job.name == "vanished later.png":
            answered.job.path.unlink()
        return write(self, answered)

    def open_most(path, *args, **options):
        if isinstance(path, os.PathLike) and Path(path).name == "locked.png":
            raise PermissionError(13, "Permission denied")  # file modes do not stop a super-user
        return opened(path, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_jobs, "_read", read_once)
        patch.setattr(run_jobs.PhotoFiles, "write", write_once)
        patch.setattr(builtins, "open", open_most)
        return _Run(tmp_path_factory.mktemp("faults"))


def test_every_photo_has_a_line_and_rejected_ones_give_exit_code_1(done):
    assert done.code == 1 and set(done.lines) == set(KINDS)
    with open(done.out / "crops.csv", newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert {row["name"] for row in rows if row["rejected"]} == set(BAD)
    assert len(rows) == 2 * len(GOOD) + len(BAD)


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_cropped_is_listed_and_leaves_nothing(done, name):
    assert KINDS[name].reason in done.lines[name]["rejected"]
    assert list((done.out / "crops").rglob(f"{Path(name).stem}_*{Path(name).suffix}")) == []


@pytest.mark.parametrize("name", GOOD, ids=ascii)
def test_what_can_be_cropped_is_cropped_as_its_file_has_it(done, name):
    kind, line = KINDS[name], done.lines[name]
    assert "rejected" not in line and tuple(line["size"]) == kind.size
    source = read_photo(done.photos / name)
    for crop in line["crops"]:
        path = done.out / crop["file"]
        assert path.suffix == kind.suffix
        x1, y1, x2, y2 = (round(edge) for edge in crop["box"])
        expected = source[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)].astype(int)
        with Image.open(path) as image:
            assert image.mode == kind.mode and image.getexif().get(ORIENTATION, 1) == 1
            assert image.size == tuple(crop["file_size"]) == expected.shape[1::-1]
        if kind.mode not in ("I", "F"):  # their grey values are scaled by what the file holds, here a part
            off = np.abs(read_photo(path).astype(int) - expected).max()
            assert off == 0 or (kind.suffix in (".jpg", ".webp") and off < 60)


def test_the_eight_orientations_of_a_photo_give_the_same_crop(done):
    pixels = {read_photo(done.out / "crops" / f"exif {number}_1.png").tobytes() for number in range(1, 9)}
    assert len(pixels) == 1


def test_a_profile_stays_with_the_crop(done):
    with Image.open(done.out / "crops" / "profile_1.jpg") as image:
        assert image.info["icc_profile"] == PROFILE


def test_names_that_are_equal_or_odd_stay_apart(done):
    stems = {done.lines[name]["stem"] for name in KINDS}
    assert len(stems) == len(KINDS)
    assert {"sub 1/same", "sub 2/same", "sub 2/same.png", "two\nlines", os.fsdecode(b"caf\xe9")} <= stems


def test_rejected_photos_are_listed_again_by_the_next_run(done, capsys):
    words = ["--out", str(done.out), "--checkpoint", str(done.out.parent / "epoch_1.pth"), "--top-k", "2"]
    before = (done.out / "crops.jsonl").read_bytes()
    photos = [str(done.photos / name) for name in ("zero.jpg", "good.png", "bomb.png")]
    assert main(["crop", *photos, *words, "--import", "tiny_cropper"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and all(line.startswith("rejected: ") for line in errors)
    assert "zero.jpg: the file is empty" in errors[0] and "bomb.png: 20000 x 20000" in errors[1]
    assert (done.out / "crops.jsonl").read_bytes() == before

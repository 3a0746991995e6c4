"""500 real photos with 20 broken ones among them: one run, and one that is killed in its middle and goes on."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty_photos import KINDS
from run_pieces import tree

from procrop.io import list_photos

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

CONFIG = Path(__file__).resolve().parents[3] / "configs/procrop_toy.py"
BROKEN = ("zero.jpg", "text.jpg", "truncated.jpg", "truncated.png", "bomb.png")
COMMAND = "import sys; from procrop.apis.cli import main; sys.exit(main())"
KILL_AT = 200  # photos of the record


def mixed_folder(source: Path, folder: Path) -> int:
    """Copy 500 photos, with a broken one after every 25th; returns how many are good."""
    photos = list_photos(source)[:500]
    for number, path in enumerate(photos):
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        if number % 25 == 0:
            name = BROKEN[number // 25 % len(BROKEN)]
            broken = target.with_name(f"{target.stem}_broken{Path(name).suffix}")
            broken.write_bytes(KINDS[name].content)
    return len(photos)


class Album:
    """A folder of photos and the command that crops it, in a process of its own."""

    def __init__(self, photos: Path, checkpoint: Path, gallery: Path) -> None:
        self.words = [str(photos), "--checkpoint", str(checkpoint), "--gallery", str(gallery)]

    def start(self, out: Path) -> subprocess.Popen:
        command = [sys.executable, "-c", COMMAND, "crop", *self.words, "--out", str(out)]
        options = ["--ratio", "1:1", "--top-k", "1", "--device", "cpu"]
        paths = os.pathsep.join(path for path in sys.path if path)
        return subprocess.Popen(
            [*command, *options], env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.DEVNULL
        )


def records(out: Path) -> list[dict]:
    """The finished lines of a record that may just be written."""
    record = out / "crops.jsonl"
    if not record.is_file():
        return []
    return [json.loads(line) for line in record.read_bytes().split(b"\n")[:-1]]


def states(out: Path, names: list[str]) -> dict[str, tuple[int, int]]:
    """Inode and time of change of files."""
    found = {name: (out / name).stat() for name in names}
    return {name: (status.st_ino, status.st_mtime_ns) for name, status in found.items()}


def written(lines: list[dict]) -> list[str]:
    return [crop["file"] for line in lines for crop in line.get("crops", ())]


def test_500_crops_20_rejects_and_nothing_twice(procrop_data, tmp_path, untrained, gallery):
    good = mixed_folder(procrop_data / "bsds500", tmp_path / "in")
    assert good == 500
    checkpoint = untrained(CONFIG, gallery, tmp_path / "model.pth")
    album = Album(tmp_path / "in", checkpoint, gallery.folder)

    whole = tmp_path / "whole"
    assert album.start(whole).wait() == 1
    lines = records(whole)
    assert len(lines) == 520
    rejected = [line for line in lines if "rejected" in line]
    assert len(rejected) == 20 and all("_broken" in line["name"] for line in rejected)
    reasons = {name: KINDS[name].reason for name in BROKEN}
    assert {reason for reason in reasons.values() for line in rejected if reason in line["rejected"]} == set(
        reasons.values()
    )
    assert len(set(written(lines))) == 500
    assert sum(path.is_file() for path in (whole / "crops").rglob("*")) == 500

    out = tmp_path / "out"
    process = album.start(out)
    while len(records(out)) < KILL_AT:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    assert process.wait() < 0
    done = records(out)
    assert KILL_AT <= len(done) < 520
    pages = ["sheet.png", *(f"sheet_{number}.png" for number in range(2, KILL_AT // 24 + 1))]
    before = states(out, [*written(done), *pages])

    assert album.start(out).wait() == 1
    assert states(out, list(before)) == before
    assert tree(out) == tree(whole)
    after = states(out, list(tree(out)))
    assert album.start(out).wait() == 1
    assert states(out, list(tree(out))) == after

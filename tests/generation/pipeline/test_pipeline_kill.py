"""A run that is killed goes on where it was, to the same bytes; so does one whose disk was full."""

import errno
import os
import signal
import time
from multiprocessing import get_context

import pytest
from tiny_steps import contents, draw_photos, settings

from procrop.datasets.formats import get_format
from procrop.generation import pipeline
from procrop.generation.errors import GenerationError
from procrop.generation.pipeline import generate

NAMES = [f"p{number}" for number in range(8)]


@pytest.fixture
def photos(tmp_path):
    return draw_photos(tmp_path / "photos", NAMES)


def slow(photos):
    # the time a step takes is no part of its fingerprint
    return settings(photos, changes=dict(TinyPainter=dict(seconds=0.02)))


def killed(made, out, after):
    """Run in another process; SIGKILL when so many photos are there. Whether it was still at work."""
    process = get_context("fork").Process(target=generate, args=(made, out))
    process.start()
    deadline = time.monotonic() + 20
    while process.is_alive() and len(list((out / "images").glob("*.jpg"))) < after:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL


def test_killed_again_and_again(photos, tmp_path):
    out = tmp_path / "out"
    hits = [killed(slow(photos), out, after) for after in (1, 8, 18)]
    assert all(hits) and not (out / "manifest.json").exists()
    assert list((out / "work/locks").iterdir())  # nobody was there to remove it
    # what a process leaves that dies while it writes
    (out / "images/.p0_0.jpg.4242.tmp").write_bytes(b"half")
    (out / "work/items/.x.json.4242.tmp").write_bytes(b"half")
    done = generate(settings(photos), out)
    assert 0 < done.made < 24 - 12
    generate(settings(photos), tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_a_killed_run_leaves_no_annotations_of_photos_that_it_replaced(photos, tmp_path):
    """A training would read the boxes of the old canvases for the new ones."""
    out = tmp_path / "out"
    generate(settings(photos), out)
    changed = dict(TinyCanvas=dict(version=1), TinyPainter=dict(version=1, seconds=0.05))
    before = {path.name: path.stat().st_mtime_ns for path in (out / "images").iterdir()}

    def replaced():
        return sum(before.get(p.name) != p.stat().st_mtime_ns for p in (out / "images").glob("*.jpg"))

    process = get_context("fork").Process(target=generate, args=(settings(photos, changes=changed), out))
    process.start()
    while process.is_alive() and not replaced():
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL and 0 < replaced() < 24
    assert not (out / "annotations.jsonl").exists()
    with pytest.raises(ValueError, match="annotations.jsonl is missing"):
        get_format("cad").read(out)
    generate(settings(photos, changes=changed), out)
    generate(settings(photos, changes=changed), tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_killed_while_the_annotations_are_written(photos, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(pipeline, "write_dataset", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    process = get_context("fork").Process(target=generate, args=(settings(photos), out))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL and not (out / "annotations.jsonl").exists()
    monkeypatch.undo()
    assert generate(settings(photos), out).made == 0
    generate(settings(photos), tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_a_full_disk(photos, tmp_path, monkeypatch):
    out, real, left = tmp_path / "out", os.fsync, [40]

    def fsync(handle):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="What is finished is kept: free some space and run the same"):
        generate(settings(photos), out)
    assert not list(out.rglob("*.tmp")) and not (out / "manifest.json").exists()
    monkeypatch.undo()
    done = generate(settings(photos), out)
    assert 0 < done.made < 24
    generate(settings(photos), tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_two_writers(photos, tmp_path):
    out = tmp_path / "out"
    process = get_context("fork").Process(
        target=generate, args=(slow(photos), out), kwargs=dict(part=0, parts=2)
    )
    process.start()
    try:
        while not list((out / "images").glob("*.jpg")):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGSTOP)
        for part, parts in ((0, 2), (0, 1), (2, 3)):
            with pytest.raises(GenerationError, match="another process is writing here"):
                generate(settings(photos), out, part=part, parts=parts)
        # the other part of the same division is nobody's but ours
        assert generate(settings(photos), out, part=1, parts=2).made > 0
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.join()
    assert process.exitcode == 0
    assert generate(settings(photos), out).made == 0
    generate(settings(photos), tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")

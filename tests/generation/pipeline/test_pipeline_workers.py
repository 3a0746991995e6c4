"""Worker processes make the same dataset, and die with their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_steps import contents, draw_photos, settings

from procrop.generation.errors import GenerationError
from procrop.generation.pipeline import generate


def test_two_workers(tmp_path):
    photos = draw_photos(tmp_path / "photos", ["a", "b", "c", "d", "e"])
    (photos / "f.png").write_bytes(b"")
    generate(settings(photos), tmp_path / "one")
    done = generate(settings(photos), tmp_path / "two", workers=2)
    assert done.made == 18 and done.dataset.items == 15
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.slow
def test_an_error_of_a_worker_stops_the_run(tmp_path):
    photos = draw_photos(tmp_path / "photos", ["a"])
    made = settings(photos, changes=dict(TinyPainter=dict(seconds=-1)))
    with pytest.raises(
        GenerationError, match="TinyPainter on a_0 .*a.png.*: sleep length must be non-negative"
    ):
        generate(made, tmp_path / "out", workers=2)


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    draw_photos(tmp_path / "photos", [f"p{n}" for n in range(40)])
    script = f"""
if __name__ == "__main__":
    from pathlib import Path
    from tiny_steps import settings
    from procrop.generation.pipeline import generate
    made = settings(Path({str(tmp_path / "photos")!r}), changes=dict(TinyPainter=dict(seconds=0.1)))
    generate(made, Path({str(tmp_path / "out")!r}), workers=1 + 1)
"""
    (tmp_path / "run.py").write_text(script)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[3])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "run.py")], env=environment, start_new_session=True
    )
    images = tmp_path / "out" / "images"
    deadline = time.monotonic() + 60
    while not images.is_dir() or len(list(images.iterdir())) < 4:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while _members(process.pid):  # whoever is left of its session
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before = len(list(images.iterdir()))
    time.sleep(0.5)
    assert len(list(images.iterdir())) == before < 120


def _members(session):
    """Processes of a session that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            found.append(stat.parent.name)
    return found

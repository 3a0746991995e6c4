"""One writer per folder; a dead writer does not keep the lock."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from procrop.io.lock import FolderLock, FolderLockedError, is_locked


def holder(pid: int, start: str | None = None, host: str | None = None, **more) -> str:
    return json.dumps({"host": host or socket.gethostname(), "pid": pid, "start": start, **more})


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_excludes_a_second_holder_and_goes_away(tmp_path):
    path = tmp_path / "build.lock"
    with FolderLock(path), pytest.raises(FolderLockedError, match=str(os.getpid())), FolderLock(path):
        pass
    assert not path.exists()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    path = tmp_path / "build.lock"
    path.write_text(holder(dead_pid()))
    with FolderLock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_reused_process_number_is_not_the_holder(tmp_path):
    path = tmp_path / "build.lock"
    path.write_text(holder(os.getpid(), start="1"))
    with FolderLock(path):
        pass


def test_another_host_is_never_judged(tmp_path):
    path = tmp_path / "build.lock"
    path.write_text(holder(dead_pid(), host="elsewhere"))
    with pytest.raises(FolderLockedError, match="elsewhere"), FolderLock(path):
        pass
    assert path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells of it in /proc")
def test_a_killed_process_that_nobody_waited_for_is_gone(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    while (
        f"{process.pid} (" in (stat := Path(f"/proc/{process.pid}/stat").read_text()) and ") Z " not in stat
    ):
        time.sleep(0.01)
    (tmp_path / "l").write_text(holder(process.pid))
    with FolderLock(tmp_path / "l"):
        pass
    process.wait()


def test_a_lock_with_beats_of_another_host_is_taken_over_when_it_is_silent(tmp_path):
    path = tmp_path / "train.lock"
    path.write_text(holder(7, host="elsewhere", beat=60))
    os.utime(path, (time.time() - 580, time.time() - 580))
    with pytest.raises(FolderLockedError) as caught, FolderLock(path):
        pass
    assert caught.value.holder == "pid 7 on elsewhere"
    os.utime(path, (time.time() - 620, time.time() - 620))
    with FolderLock(path, beat=0.01):
        assert json.loads(path.read_text())["beat"] == 0.01
        os.utime(path, (0, 0))
        until = time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.01)
        assert time.time() - path.stat().st_mtime < 60
    assert not path.exists()


def test_an_empty_lock_is_stale_only_when_old(tmp_path):
    path = tmp_path / "build.lock"
    path.write_text("")
    with pytest.raises(FolderLockedError, match="just starting"), FolderLock(path):
        pass
    os.utime(path, (time.time() - 100, time.time() - 100))
    with FolderLock(path):
        pass


def test_goes_away_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), FolderLock(tmp_path / "l"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_whether_it_is_held(tmp_path):
    path = tmp_path / "build.lock"
    assert not is_locked(path)
    with FolderLock(path):
        assert is_locked(path)
    assert not is_locked(path)
    path.write_text(holder(dead_pid()))
    assert not is_locked(path)
    path.write_text(holder(1, host="elsewhere"))
    assert is_locked(path)

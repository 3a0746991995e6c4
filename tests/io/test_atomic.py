"""Files are whole or absent, whatever happens while they are written."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from procrop.io.atomic import atomic_write, write_bytes, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_replaces_a_file_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "made" / "table.txt"
    write_text(target, "one\r\nü")
    write_bytes(target, b"two")
    assert target.read_bytes() == b"two"
    assert names(target.parent) == ["table.txt"]


def test_text_is_written_as_given(tmp_path):
    write_text(tmp_path / "t", "one\r\nü\n")
    assert (tmp_path / "t").read_bytes() == b"one\r\n\xc3\xbc\n"


def test_an_error_keeps_the_old_file(tmp_path):
    target = tmp_path / "table"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half way"), atomic_write(target) as file:
        file.write(b"half")
        raise RuntimeError("half way")
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["table"]


def test_the_target_is_untouched_until_the_end(tmp_path):
    target = tmp_path / "table"
    target.write_bytes(b"old")
    with atomic_write(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"


def test_a_full_disk_keeps_the_old_file(tmp_path):
    """A process that may not write files beyond 10 kB stands for a full disk."""
    target = tmp_path / "table"
    target.write_bytes(b"old")
    code = f"from procrop.io.atomic import write_bytes; write_bytes({str(target)!r}, b'x' * 100_000)"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 1 and "OSError" in done.stderr
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["table"]


def test_equal_objects_give_equal_json(tmp_path):
    write_json(tmp_path / "a", {"b": [1, 2.5], "a": "\udc80ü"})
    write_json(tmp_path / "b", {"a": "\udc80ü", "b": [1, 2.5]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text()) == {"a": "\udc80ü", "b": [1, 2.5]}


def test_refuses_nan_and_appending(tmp_path):
    with pytest.raises(ValueError, match="JSON|float"):
        write_json(tmp_path / "a", {"score": float("nan")})
    with pytest.raises(ValueError, match="mode"), atomic_write(tmp_path / "a", "ab"):
        pass
    assert names(tmp_path) == []

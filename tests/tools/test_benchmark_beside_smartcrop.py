"""The benchmark beside smartcrop measures what it says."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "benchmarks"))

import beside_smartcrop as tool  # noqa: E402
from rounds import Times  # noqa: E402
from untrained_cropper import write_photos  # noqa: E402

pytestmark = pytest.mark.usefixtures("threads_as_before")


def test_the_ratio_is_of_speeds_by_both_clocks():
    seconds = {"crop": 4.0, "stream": 2.0} | dict(zip(tool.TARGETS, (1.0, 2.0, 3.0), strict=True))
    times = {name: Times([wall] * 3, [wall / 2 + (name == "crop")] * 3) for name, wall in seconds.items()}
    rows = tool.table(times, 10).splitlines()
    default, half, square = rows[4:]
    assert rows[0].endswith("| speed of crop | speed of stream | speed of crop, CPU | speed of stream, CPU |")
    assert rows[2] == "| crop | 400.0 ms | 300.0 ms |  |  |  |  |"
    assert (
        "| 100.0 ms | 50.0 ms | 0.25 (0.25 to 0.25) missed | 0.50 (0.50 to 0.50) missed | 0.17 (" in default
    )
    assert "| 0.50 (0.50 to 0.50) missed | 1.00 (1.00 to 1.00) met | 0.33 (" in half
    assert square.endswith(
        "| 1.50 (1.50 to 1.50) met | 0.50 (0.50 to 0.50) missed | 1.50 (1.50 to 1.50) met |"
    )


def test_photos_are_spread_over_the_folder(tmp_path):
    write_photos(tmp_path / "photos", 6)
    assert [path.name for path in tool.spread(tmp_path / "photos", 3)] == ["0000.jpg", "0002.jpg", "0004.jpg"]
    assert len(tool.spread(tmp_path / "photos", 9)) == 6


@pytest.mark.slow
def test_all_sides_crop_the_same_photos(tmp_path, capsys):
    write_photos(tmp_path / "photos", 2)
    words = [tmp_path / "photos", "--count", 1, "--rounds", 1, "--threads", 1, "--out", tmp_path / "t.md"]
    assert tool.main([str(word) for word in words]) == 0
    text = (tmp_path / "t.md").read_text()
    assert text.startswith("procrop_lite.py, random weights: 1 thread(s), 1 photos, 1 rounds")
    assert all(f"| {name} | " in text for name in ("crop", "stream", *tool.TARGETS))


@pytest.mark.parametrize(("words", "message"), [(["--rounds", "0"], "at least 1"), ([], "no photo")])
def test_refused(tmp_path, capsys, words, message):
    (tmp_path / "empty").mkdir()
    assert tool.main([str(tmp_path / "empty"), *words]) == 2
    assert message in capsys.readouterr().err

"""The benchmark of whole folders measures what it says."""

import re
import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "benchmarks"))

import inference  # noqa: E402
import rounds  # noqa: E402
from untrained_cropper import write_photos  # noqa: E402

pytestmark = pytest.mark.usefixtures("threads_as_before")


def test_every_round_runs_every_side_once_and_begins_with_another(monkeypatch, capsys):
    now, ran = [0.0], []

    def work(name, seconds):
        ran.append(name)
        now[0] += seconds

    monkeypatch.setattr(rounds.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(rounds.time, "process_time", lambda: 3 * now[0])
    times = rounds.time_rounds({"a": lambda: work("a", 1), "b": lambda: work("b", 4)}, 2)
    assert ran == ["a", "b", "b", "a", "a", "b"]  # the first round does not count
    assert times["a"] == rounds.Times([1, 1], [3, 3]) and times["b"] == rounds.Times([4, 4], [12, 12])


def test_speeds_are_of_pairs_of_one_round():
    assert rounds.speeds([2.0, 1.0, 4.0], [1.0, 1.0, 1.0]) == (0.5, 0.25, 1.0)


def test_the_target_is_told_by_cpu_time():
    names = [inference.BARE, "stream", inference.AGAINST_SMARTCROP, inference.SMARTCROP]
    cpu = dict(zip(names, (0.8, 0.9, 1.0, 0.1), strict=True))
    times = {name: rounds.Times([2.0] * 3, [cpu[name]] * 3) for name in names}
    text = inference.tables(times, 10)
    assert "| stream | 90.0 ms | 0.89 (0.89 to 0.89) | 1.00 (1.00 to 1.00) | >= 0.85 met |" in text
    assert (
        "| crop, 1:1, 1 crop | 100.0 ms | 0.80 (0.80 to 0.80) | 1.00 (1.00 to 1.00) | >= 0.85 missed |"
        in text
    )
    assert "| crop, 1:1, 1 crop | 100.0 ms | 0.100 (0.100 to 0.100) |" in text


def test_smartcrop_writes_a_square_of_each_photo(tmp_path):
    write_photos(tmp_path / "photos", 2)
    inference.smartcrop_folder(sorted((tmp_path / "photos").iterdir()), tmp_path / "out")
    sizes = [Image.open(path).size for path in sorted((tmp_path / "out").iterdir())]
    assert len(sizes) == 2 and all(width == height > 200 for width, height in sizes)


def test_all_sides_crop_the_same_folder(tmp_path, capsys):
    write_photos(tmp_path / "photos", 3)
    words = [str(tmp_path / "photos"), "--count", "1", "--rounds", "1", "--out", str(tmp_path / "t.md")]
    assert inference.main(words) == 0
    text = (tmp_path / "t.md").read_text()
    assert text.startswith(
        "procrop_toy.py, random weights: cpu, 1 thread(s) of the networks, 1 photos, 1 rounds"
    )
    rows = re.findall(r"^\| ([^|]+) \| (\d+\.\d) ms \| (\d+\.\d+) ", text, re.MULTILINE)
    sides = [inference.BARE, "stream", "stream, 1:1", *inference.COMMANDS]
    assert [row[0] for row in rows] == [*sides, inference.AGAINST_SMARTCROP, inference.SMARTCROP]
    assert float(rows[0][2]) == 1.0 and all(float(row[1]) > 0 for row in rows)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--rounds", "0"], "must be at least 1"),
        (["nowhere"], "the folder does not exist"),
        (["--checkpoint", "none.pth"], "none.pth"),
    ],
)
def test_what_cannot_be_measured_is_told(words, told, capsys):
    assert inference.main([*words, "--count", "1"]) == 2
    assert told in capsys.readouterr().err

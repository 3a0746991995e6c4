"""tools/teach.py: what it says, its exit codes, and its settings."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from light_start import HEAVY, modules_after_help
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

import teach as tool  # noqa: E402

SMALL = ["--windows", "1", "--teacher", "sides=[96]"]


@pytest.fixture
def photos(tmp_path):
    """Two photos of a ball on a meadow, with their authors."""
    folder = tmp_path / "photos"
    folder.mkdir()
    y, x = np.mgrid[:96, :144]
    for number, name in enumerate(("a", "b")):
        ball = ((x - 50 - 30 * number) ** 2 + (y - 50) ** 2 < 25**2)[..., None]
        noise = np.random.default_rng(number).integers(0, 40, (96, 144, 3))
        Image.fromarray((np.where(ball, [210, 90, 40], [70, 120, 60]) + noise).astype(np.uint8)).save(
            folder / f"{name}.png"
        )
    manifest = [{"file": f"{name}.png", "author": name.upper()} for name in "ab"]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, manifest)))
    return folder


def run(*arguments):
    return tool.main([*map(str, arguments)])


def test_a_dataset_is_made_and_made_only_once(photos, tmp_path, capsys):
    assert run(photos, tmp_path / "out", *SMALL) == 0
    assert "4 images (4 train from 2 photos); 4 were made now" in capsys.readouterr().out
    lines = (tmp_path / "out" / "annotations.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["crops"]) for line in lines] == [4] * 4
    assert run(photos, tmp_path / "out", *SMALL) == 0
    assert "0 were made now" in capsys.readouterr().out
    assert run(photos, tmp_path / "out", *SMALL, "--seed", 1) == 2
    assert "seed = 0, now it is 1; choose another folder" in capsys.readouterr().err


def test_what_is_left_out_is_listed(photos, tmp_path, capsys):
    (photos / "c.png").write_bytes(b"")
    assert run(photos, tmp_path / "out", *SMALL, "--limit", 3) == 1
    shown = capsys.readouterr()
    assert "left out: c.png: reading: the file is empty" in shown.err and "4 images" in shown.out


def test_photos_that_are_not_there(tmp_path, capsys):
    assert run(tmp_path / "none", tmp_path / "out") == 2
    assert "none: no such folder; docs/lite_training.md says" in capsys.readouterr().err


def test_photos_without_authors(photos, tmp_path, capsys):
    (photos / "manifest.jsonl").unlink()
    assert run(photos, tmp_path / "out", *SMALL) == 2
    assert "manifest.jsonl" in capsys.readouterr().err
    assert run(photos, tmp_path / "out", *SMALL, "--credits", "none") == 0


def test_arguments_of_the_teacher():
    given = ["sides=[320,384]", "mirrored=True", "merit.price=0.2", "device=cpu"]
    wanted = dict(sides=[320, 384], mirrored=True, merit=dict(price=0.2), device="cpu")
    assert tool.teacher_config(given) == dict(type="EvidenceTeacher", **wanted)
    assert tool.teacher_config(["type=Mine"]) == dict(type="Mine")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("side=3", "unexpected keyword argument 'side'"),
        ("sides=[50]", "multiples of 32"),
        ("type=Nobody", "Nobody"),
    ]
    + [("merit.prise=1", "'prise'"), ("sides", "--teacher sides: give KEY=VALUE")],
)
def test_a_teacher_that_cannot_be_is_named(photos, tmp_path, capsys, option, words):
    assert run(photos, tmp_path / "out", "--teacher", option) == 2
    assert words in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = f"import sys\nsys.path.insert(0, {str(ROOT / 'tools')!r})\nimport teach\nteach.main(['--help'])"
    assert HEAVY & modules_after_help(code) == set()

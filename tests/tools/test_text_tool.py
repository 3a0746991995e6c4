"""tools/text.py as a user runs it: what it writes, prints and how it exits."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tools"), str(ROOT / "tests" / "datasets" / "text")]

import text as tool  # noqa: E402
from text_cases import content  # noqa: E402

from procrop.datasets.text import TextTable  # noqa: E402

CONFIG = """
custom_imports = dict(imports=["text_cases"])
default_scope = "procrop"
text_encoder = dict({encoder})
tokens = dict(type="LoadTextTokens", folder="{work}/text", drop_prob=0.1)
common = dict(type="GAICDataset", data_root="{work}/gaicd", version="v2", pipeline=[])
train_dataloader = dict(dataset=dict(split="train", text=tokens, **common))
val_dataloader = dict(dataset=dict(split="val", text=tokens, **common))
test_dataloader = dict(
    dataset=dict(type="ConcatDataset", datasets=[dict(split="test", text=tokens, **common)])
)
"""
SPLITS = {"train": 5, "val": 2, "test": 2}
NAMES = [f"{split}{i}" for split, number in SPLITS.items() for i in range(number)]


@pytest.fixture
def work(tmp_path):
    """Nine photos in three splits, and a config that reads their text."""
    for split, number in SPLITS.items():
        for i in range(number):
            photo = tmp_path / "gaicd/images" / split / f"{split}{i}.png"
            note = tmp_path / "gaicd/annotations" / split / f"{split}{i}.txt"
            for path in (photo, note):
                path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((40, 60, 3), (10 * i, len(split), 7), np.uint8)).save(photo)
            note.write_text("2 2 30 50 4.5\n")
    write_config(tmp_path)
    return tmp_path


def write_config(work, encoder='type="ColourTextEncoder"', name="config.py"):
    (work / name).write_text(CONFIG.format(work=work, encoder=encoder))
    return work / name


def run(command, work, *args, config="config.py"):
    return tool.main([command, str(work / config), *map(str, args)])


def test_help_is_quick_and_imports_nothing_heavy():
    code = "import runpy, sys; sys.argv = ['text.py', 'build', '--help']\n"
    code += "try: runpy.run_path('tools/text.py', run_name='__main__')\n"
    code += (
        "except SystemExit: print(sorted({'torch', 'mmengine', 'numpy', 'transformers'} & set(sys.modules)))"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "--captions" in done.stdout and done.stdout.splitlines()[-1] == "[]"
    assert (
        time.monotonic() - start < 2
    )  # 0.1 s on an idle machine; importing torch alone takes longer than this


def test_build_edit_verify_info(work, capsys):
    assert run("build", work) == 0
    assert (
        f"{work}/text: 9 photos with text (9 captions generated, 9 photos encoded)" in capsys.readouterr().out
    )
    assert TextTable.open(work / "text").ids == NAMES
    captions = work / "text/captions.jsonl"
    captions.write_text(captions.read_text().replace("a photo of 10 3 7", "edited by hand"))  # val1
    assert run("verify", work) == 1
    shown = capsys.readouterr().out
    assert "the caption of 'val1' was changed" in shown and "1 problem(s)" in shown
    assert run("info", work) == 2
    assert "python tools/text.py build CONFIG" in capsys.readouterr().err
    assert run("build", work) == 0 and "(0 captions generated, 1 photos encoded)" in capsys.readouterr().out
    assert run("verify", work) == 0 and "all well" in capsys.readouterr().out
    assert run("info", work) == 0
    shown = capsys.readouterr().out
    for words in ("9 generated (of these 1 edited), 0 given", "35, 3 to 4 a photo", "ColourTextEncoder"):
        assert words in shown
    assert "'train0' (generated): a photo of 0 5 7" in shown


def test_given_captions_and_what_they_lack(work, capsys):
    write_config(work, 'type="WordTextEncoder", token_dim=8')
    given = work / "given.txt"
    given.write_text("train0\tA dog\nval1\tA cat\nval9\tA horse\n")
    assert run("build", work, "--captions", given) == 1
    shown = capsys.readouterr()
    assert "2 photos with text (0 captions generated, 2 photos encoded)" in shown.out
    assert "no text for 'train1': has no caption" in shown.err
    assert "1 captions of ids that no dataset of the config has: 'val9'" in shown.err
    assert run("verify", work) == 1 and "no tokens of the photo 'train1'" in capsys.readouterr().out
    allowed = [f"{split}_dataloader.dataset.text.allow_missing=True" for split in ("train", "val")]
    allowed += ["test_dataloader.dataset.datasets.0.text.allow_missing=True"]
    assert run("verify", work, "--cfg-options", *allowed) == 0
    given.write_text("train0\tA dog\nA cat\n")
    assert run("build", work, "--captions", given) == 2
    assert "given.txt: line 2: must be id<TAB>caption" in capsys.readouterr().err


def test_bad_photos_are_listed(work, capsys):
    (work / "gaicd/images/val/val0.png").write_bytes(b"no photo")
    assert run("build", work) == 1
    shown = capsys.readouterr()
    assert "8 photos with text" in shown.out
    assert "no text for 'val0': the file holds no image of a known format" in shown.err


def test_shards_and_torchrun_equal_one_process(work, capsys, monkeypatch):
    def moved(name):
        (work / "text").rename(work / name)
        return content(work / name)

    run("build", work)
    whole = moved("whole")
    assert run("build", work, "--shard", "1/2") == 0 and "this part is done" in capsys.readouterr().out
    assert run("build", work, "--shard", "0/2") == 0 and "9 photos with text" in capsys.readouterr().out
    assert moved("shards") == whole
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, said in (("0", ""), ("1", "9 photos with text")):
        monkeypatch.setenv("RANK", rank)
        assert run("build", work) == 0
        shown = capsys.readouterr().out
        assert said in shown and bool(shown) == bool(said)
    assert moved("torchrun") == whole
    assert (
        run("build", work, "--shard", "0/2") == 2 and "leave it out under torchrun" in capsys.readouterr().err
    )


@pytest.mark.slow
def test_torchrun(work):
    """The real launcher: two processes that begin and end together."""
    run("build", work)
    (work / "text").rename(work / "whole")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += [str(ROOT / "tools/text.py"), "build", str(work / "config.py")]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/datasets/text")])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    assert content(work / "text") == content(work / "whole")
    assert done.stdout.count("9 photos with text") == 1


def test_another_encoder_wants_a_rebuild(work, capsys):
    run("build", work)
    write_config(work, 'type="ColourTextEncoder", salt=" other"')
    assert run("build", work) == 2
    assert "made by another encoder" in capsys.readouterr().err
    assert run("build", work, "--rebuild") == 0
    assert "(0 captions generated, 9 photos encoded)" in capsys.readouterr().out
    assert TextTable.open(work / "text").encoder_cfg == {"type": "ColourTextEncoder", "salt": " other"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--folder", "elsewhere"], "--folder elsewhere: no text folder of"),
        (["--device", "cuda"], "--device cuda: ColourTextEncoder takes no device"),
        (["--shard", "2/2"], "--shard takes I/N"),
        (["--captions", "gone.jsonl"], "gone.jsonl: no such file of captions"),
        (["--cfg-options", "text_encoder.slat=x"], "did you mean `salt`?"),
        (["--cfg-options", "text_encoder=None"], "holds no `text_encoder = dict(type=...)`"),
        (["--workers", "0"], "workers must be at least 1"),
    ],
)
def test_what_cannot_be_done_as_asked(work, capsys, args, words):
    assert run("build", work, *args) == 2
    shown = capsys.readouterr().err
    assert words in shown and "Traceback" not in shown and not (work / "text/tokens").exists()


def test_a_config_without_text(capsys):
    assert tool.main(["build", str(ROOT / "configs/procrop_toy.py")]) == 2
    assert "no LoadTextTokens with a folder in its datasets" in capsys.readouterr().err


def test_a_folder_is_chosen(work, capsys):
    other = ["val_dataloader.dataset.text.folder=" + str(work / "other")]
    assert run("build", work, "--folder", work / "other", "--cfg-options", *other) == 0
    assert TextTable.open(work / "other").ids == ["val0", "val1"] and not (work / "text").exists()
    assert run("build", work, "--cfg-options", *other) == 0
    assert len(TextTable.open(work / "text")) == 7
    lines = [json.loads(line)["id"] for line in (work / "text/captions.jsonl").read_text().splitlines()]
    assert "val0" not in lines

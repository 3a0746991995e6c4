"""tools/train_artefact_filter.py: from photos to a weight file, messages and exit codes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tools"), str(ROOT / "tests" / "generation" / "artefacts")]

import train_artefact_filter as tool  # noqa: E402
from sorted_photos import draw  # noqa: E402

QUICK = ["--arch", "tiny", "--epochs", "2", "--batch-size", "8"]


def test_from_photos_to_a_filter(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    assert tool.main(["stand-ins", str(tmp_path / "photos"), "--out", str(tmp_path / "set")]) == 0
    assert "12 good photos and as many SYNTHETIC bad ones" in capsys.readouterr().out
    out = tmp_path / "filter.safetensors"
    command = ["train", str(tmp_path / "set"), "--out", str(out), *QUICK]
    assert tool.main(command) == 0
    shown = capsys.readouterr().out
    assert "epoch    2/2 loss" in shown and "held-out precision and recall: good" in shown
    assert out.is_file() and "batch_size 8" in (tmp_path / "filter.safetensors.md").read_text()
    assert tool.main(command) == 2
    assert "exists; give --overwrite" in capsys.readouterr().err
    assert tool.main([*command, "--overwrite"]) == 0


def test_photos_that_cannot_be_read_are_listed(tmp_path, capsys):
    folder = draw(tmp_path / "set", 12)
    (folder / "bad" / "s03_1.png").write_bytes(b"no photo")
    assert tool.main(["train", str(folder), "--out", str(tmp_path / "f.safetensors"), *QUICK]) == 1
    assert "s03_1.png" in capsys.readouterr().err
    assert "s03_1.png" in (tmp_path / "f.safetensors.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "{set}", "--out", "{new}", "--epochs", "0"], "epochs and batch_size must be at least 1"),
        (["train", "{set}", "--out", "{new}", "--arch", "vgg"], "arch must be one of"),
        (["train", "{none}", "--out", "{new}"], "the folder does not exist"),
        (["train", "{set}", "--out", "{new}", "--init", "{none}", "--arch", "resnet18"], "no such"),
        (["stand-ins", "{none}", "--out", "{new}"], "the folder does not exist"),
    ],
)
def test_bad_arguments(tmp_path, capsys, arguments, message):
    names = {"set": draw(tmp_path / "set", 6), "new": tmp_path / "new.safetensors", "none": tmp_path / "none"}
    assert tool.main([argument.format(**names) for argument in arguments]) == 2
    assert message in capsys.readouterr().err.lower()


def test_help_loads_nothing_heavy():
    program = (
        "import sys; import train_artefact_filter as tool\n"
        "try: tool.main(['train', '--help'])\n"
        "except SystemExit: print(sorted({'numpy', 'torch', 'mmengine'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "tools", capture_output=True, text=True, check=True
    ).stdout
    assert "--source-pattern" in shown and shown.endswith("[]\n")

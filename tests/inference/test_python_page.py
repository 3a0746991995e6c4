"""What docs/cropping_from_python.md shows works as it stands there."""

import re
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from procrop.inference import one_call

ROOT = Path(__file__).resolve().parents[2]


def test_the_page(tmp_path, gallery, untrained, monkeypatch, capsys):
    checkpoint = untrained(ROOT / "configs/procrop_toy.py", gallery, tmp_path / "MODEL.pth")
    for name in ("my_gallery", "another_gallery"):
        shutil.copytree(gallery.folder.parent, tmp_path / name / "all")
    for name in ("holiday.jpg", "portrait.png"):
        pixels = np.random.default_rng(len(name)).integers(0, 256, (120, 160, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    one_call._opened.cache_clear()
    text = (ROOT / "docs/cropping_from_python.md").read_text(encoding="utf-8")
    for name in ("my_gallery", "another_gallery"):
        text = text.replace(f'"{name}"', f'"{name}/all/index"')
    # the untrained model's own gallery is a place of the toy project
    text = text.replace('checkpoint="MODEL.pth"', 'checkpoint="MODEL.pth", gallery="my_gallery/all/index"')
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    names = {}
    for block in blocks:
        exec(block, names)  # noqa: S102
    assert len(blocks) == 3 and checkpoint.exists()
    sides = names["square"].boxes[0, 2:] - names["square"].boxes[0, :2]
    assert sides[0] == sides[1]
    assert [(ref.name, ref.weight) for ref in names["styled"].references[:1]] == [("p03.png", 2)]
    box = names["kept"].boxes[0]
    assert (box[:2] <= (20, 10)).all() and (box[2:] >= (120, 90)).all()
    assert "portrait.png [" in capsys.readouterr().out

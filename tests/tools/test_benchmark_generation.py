"""The benchmark of generation: every step has its row, and time in networks is counted once."""

import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tools/benchmarks"), str(ROOT / "tests/generation/pipeline")]

import generation  # noqa: E402
from tiny_steps import STEPS, TinyComposition, draw_photos, settings  # noqa: E402

from procrop.registry import GENERATION_STEPS  # noqa: E402


class Slow(torch.nn.Module):
    """Takes 20 ms of its own, and 10 ms in a module within."""

    def __init__(self, inner=None):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        time.sleep(0.02 if self.inner else 0.01)
        return self.inner(x) if self.inner else x


@GENERATION_STEPS.register_module()
class NetworkComposition(TinyComposition):
    """30 ms in a network and 30 ms beside it."""

    def run(self, item, rng):
        Slow(Slow())(torch.zeros(1))
        time.sleep(0.03)
        return super().run(item, rng)


def test_every_step_is_measured(tmp_path):
    photos = draw_photos(tmp_path / "photos", ["a", "b", "c"])
    steps = [*STEPS, "NetworkComposition"]
    clock = generation.measure(settings(photos, steps=steps), photos=2, threads=1)
    runs = {name: len(seconds) for name, seconds in clock.step.items()}
    once = ["TinyAnalyzer", "TinyMasks", "TinyComposition", "NetworkComposition", generation.READING]
    each = ["TinyCanvas", "TinyPainter", "TinyFilter", "RandomCrops", generation.WRITING]
    assert runs == dict.fromkeys(once, 2) | dict.fromkeys(each, 6)
    assert np.mean(clock.network["NetworkComposition"]) == pytest.approx(0.03, abs=0.01)
    assert np.mean(clock.step["NetworkComposition"]) > 0.06
    assert not any(clock.network["TinyPainter"])
    lines = generation.table(clock, steps, 3)
    (row,) = (line for line in lines if line.startswith("| NetworkComposition | 2 |"))
    assert 35 < float(re.search(r"([\d.]+)% \|$", row)[1]) < 60  # about half of it is the network
    assert lines[-1].startswith("| all, an expansion (3 a photo) | 6 |") and len(lines) == 2 + 10 + 1


def test_the_command_line(tmp_path, capsys):
    config = tmp_path / "c.py"
    photos = draw_photos(tmp_path / "photos", ["a"])
    config.write_text(
        'custom_imports = dict(imports=["tiny_steps"])\n'
        f'generation = dict(source=dict(type="FolderSource", root={str(photos)!r}), '
        f"steps=[dict(type=name) for name in {STEPS!r}])\n"
    )
    assert generation.main([str(config), "--expansions", "1", "--out", str(tmp_path / "o/t.md")]) == 0
    text = capsys.readouterr().out
    assert text == (tmp_path / "o/t.md").read_text() and "| TinyPainter | 1 |" in text
    assert generation.main([str(tmp_path / "none.py")]) == 2
    assert "no such config file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        generation.main([])

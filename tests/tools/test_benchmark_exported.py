import re
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools" / "benchmarks"))

import exported  # noqa: E402


def test_a_row_for_each_batch_compares_both_sides(monkeypatch, capsys):
    words = "--pairs 1 --batches 1,2 --size 64x48 --references 2 --grid 2x2 --channels 8"
    monkeypatch.setattr(sys, "argv", ["exported.py", str(ROOT / "configs/procrop_toy.py"), *words.split()])
    threads = torch.get_num_threads()
    try:
        assert exported.main() == 0
    finally:
        torch.set_num_threads(threads)
    out = capsys.readouterr().out
    assert "64x48, K = 2, 1 thread(s), 1 pairs" in out
    rows = re.findall(r"^\| (\d+) \| (\d+) ms \| (\d+) ms \| (\d+\.\d+) ", out, re.MULTILINE)
    assert [row[0] for row in rows] == ["1", "2"] and all(float(row[3]) > 0 for row in rows)

"""The benchmark of a cropper's parts: what it names, that shares are of the whole, and that bytes are counted right."""

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "benchmarks"))

import parts
from tensor_memory import TensorMemory, peak_of

ROOT = Path(__file__).parents[2]
SMALL = ["--size", "96x64", "--runs", "3", "--keys", "300", "--rows", "20"]
MODEL = ["image backbone", "encoder", "head"]
TEXT = ["text encoder", "fusion"]
RETRIEVAL = ["query encoding", "search", "token reading", "reference encoder", "fusion"]


def toy_with(text_alone=False):
    """Lines that give the toy model the text branch, beside its references or in their place."""
    encoder = 'text_tokens=dict(type="TextContextEncoder", embed_dims=128)'
    if text_alone:
        encoder = f"_delete_=True, {encoder}"
    contexts = ("text_tokens",) if text_alone else ("references", "text_tokens")
    return f"model = dict(context_encoders=dict({encoder}), fusion=dict(contexts={contexts!r}))\n"


CASES = {
    "procrop_toy": (MODEL + RETRIEVAL, ""),
    "baselines/cdetr_toy": (MODEL, ""),
    "references and text": ([*MODEL, *RETRIEVAL, "text encoder"], toy_with()),
    "text alone": (MODEL + TEXT, toy_with(text_alone=True)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_part_of_a_config(tmp_path, capsys, case):
    expected, lines = CASES[case]
    out, config = tmp_path / "made/parts.md", ROOT / f"configs/{case}.py"
    if lines:
        config = tmp_path / "with_text.py"
        config.write_text(f"_base_ = [{str(ROOT / 'configs/procrop_toy.py')!r}]\n{lines}")
    assert parts.main([str(config), *SMALL, "--out", str(out)]) == 0
    assert out.read_text().strip() in capsys.readouterr().out
    rows = {row["part"]: row for row in json.loads(out.with_suffix(".json").read_text())["parts"]}
    assert set(rows) == {*expected, "the rest", "whole"}
    for name, row in rows.items():
        assert f"| {name} | {row['ms']:.2f} ms |" in out.read_text()
        assert -0.001 <= row["share_low"] <= row["share"] <= row["share_high"] <= 1
        if name not in ("the rest", "search", "token reading"):
            assert 0 < row["peak_bytes"] <= rows["whole"]["peak_bytes"] and row["held_bytes"] > 0
    middle = sum(row["share"] for name, row in rows.items() if name != "whole")
    assert middle == pytest.approx(1, abs=0.2)  # medians of shares that add up to 1 in every run
    assert ("text of 35 x 768" in out.read_text()) == ("text" in case)
    assert rows["image backbone"]["peak_bytes"] > rows["encoder"]["peak_bytes"]
    if "search" in rows:
        assert rows["search"]["held_bytes"] == 300 * 1280 * 4  # the keys of EfficientNet-lite0
        assert rows["token reading"]["held_bytes"] == 300 * 16 * 112 * 2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["none.py"], "no such config file"),
        ([str(ROOT / "configs/procrop_toy.py"), "--size", "800"], "--size 800: give two numbers"),
        ([str(ROOT / "configs/procrop_toy.py"), "--runs", "0"], "at least 1"),
    ],
)
def test_wrong_use_is_one_line(capsys, args, words):
    assert parts.main(args) == 2
    shown = capsys.readouterr().err
    assert words in shown and "Traceback" not in shown


def test_parts_of_a_run_add_up():
    counted = parts.Parts(lambda call: (call(), 2.0))
    assert counted.run("a", lambda: 5) == 5
    counted.run("a", lambda: None)
    counted.begin()
    counted.run("a", lambda: None)
    assert counted.cost == {"a": [4.0, 2.0]}


def test_bytes_of_tensors_at_the_peak():
    weight = torch.zeros(1000)

    def work():
        view = weight[10:].view(9, 110)  # no new bytes
        first = view + 1  # 990 floats
        second = first * 2  # 990 more: the peak
        del first
        return second.sum()

    with TensorMemory() as memory:
        kept, peak = peak_of(memory, work)
        assert 2 * 990 * 4 <= peak <= 2 * 990 * 4 + 64
        assert memory.live == kept.untyped_storage().nbytes()
        _, again = peak_of(memory, work)
        assert again == peak

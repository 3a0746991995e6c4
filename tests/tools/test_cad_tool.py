"""tools/cad.py generate, stats and show as a user runs them: what they print and how they exit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests/generation/pipeline"))

from tiny_steps import STEPS, contents, draw_photos  # noqa: E402

from procrop.apis import cad_command  # noqa: E402
from procrop.apis.cli import tool_main  # noqa: E402

CONFIG = """
custom_imports = dict(imports=["tiny_steps"])
generation = dict(
    source=dict(type="FolderSource", root={root!r}, credits="manifest.jsonl"),
    steps=[dict(type=name) for name in {steps!r}],
    val_share=0.3,
)
"""


@pytest.fixture
def work(tmp_path):
    photos = draw_photos(tmp_path / "photos", ["a", "b", "c", "d"])
    (tmp_path / "config.py").write_text(CONFIG.format(root=str(photos), steps=STEPS))
    return tmp_path


def cad(*args):
    return tool_main(cad_command, list(map(str, args)))


def generate(work, *args, out="out"):
    return cad("generate", work / "config.py", "--out", work / out, *args)


def test_generate_stats_show(work, capsys):
    assert generate(work) == 0
    text = capsys.readouterr()
    assert "12 photos (9 train, 3 val) of 4 source photos; 12 items were made now" in text.out
    assert "12/12" in text.err  # progress with its total
    assert generate(work) == 0 and "0 items were made now" in capsys.readouterr().out
    assert cad("stats", work / "out") == 0
    table = capsys.readouterr().out
    # as in the paper's Table 2 (242,064 = 192,122 + 49,942), the total counts outpainted photos alone
    assert "| Folder outpainted | total outpainted |" in table and "| Total | 4 | 12 | 12 |" in table
    assert "| train | 3 | 9 |" in table
    figures = json.loads((work / "out/stats/statistics.json").read_text())
    share = 48 * 32 / (68 * 52)
    assert figures["known_share"]["mean"] == pytest.approx(share) and figures["known_share"]["sd"] < 1e-9
    assert sum(figures["window_ratio"]["histogram"]["counts"]) == 12 * 8
    originals = {name: sum(n for n, _ in own.values()) for name, own in figures["compositions"].items()}
    assert sum(originals.values()) == 4 and originals["centre"] + originals["diagonal"] == 4
    assert (work / "out/stats/statistics.png").stat().st_size > 10_000
    assert cad("show", work / "out", "--to", work / "sheet", "--limit", 3) == 0
    assert (work / "sheet/sheet.png").is_file() and "3 of 12 photos shown" in capsys.readouterr().out
    assert cad("show", work / "out", "--to", work / "sheet") == 2  # there already
    assert cad("show", work / "out", "--to", work / "s.html", "--ids", "c_1", "--crops", 0) == 0
    assert cad("show", work / "out", "--to", work / "s2.html", "--class", "curved") == 2
    assert "no record has the tag 'curved'" in capsys.readouterr().err
    # statistics do no harm to the dataset: the next run is still the same
    before = contents(work / "out")
    assert generate(work) == 0 and contents(work / "out") == before


def test_what_is_left_out_is_printed_and_shows_in_the_exit_code(work, capsys):
    (work / "photos/e.png").write_bytes(b"nothing")
    options = ("--cfg-options", "generation.steps.5.drop=[0,2]", "--limit", 5)
    assert generate(work, *options) == 1
    text = capsys.readouterr()
    assert "4 photos (3 train, 1 val)" in text.out
    assert (
        "left out: 8 x TinyFilter: figure # is too small" in text.err and "left out: 1 x reading:" in text.err
    )
    cad("stats", work / "out")
    assert "| TinyFilter | figure # is too small | 8 |" in capsys.readouterr().out
    (work / "out/images/a_1.jpg").unlink()
    assert cad("show", work / "out", "--to", work / "sheet") == 1


def test_shards_of_the_command_line(work, capsys):
    assert generate(work, "--shard", "1/2", out="parts") == 0
    assert "run the same command without --shard to finish" in capsys.readouterr().out
    assert generate(work, "--shard", "0/2", out="parts") == 0 and generate(work, out="parts") == 0
    assert "0 items were made now" in capsys.readouterr().out
    generate(work)
    assert contents(work / "parts") == contents(work / "out")


def test_what_is_refused(work, capsys):
    for args, message in (
        (("--cfg-options", "generation.expansion=2"), "did you mean `expansions`"),
        (("--cfg-options", "generation.steps.0.type=TinyAnalyser"), "did you mean `TinyAnalyzer`"),
        (("--shard", "2/2"), "--shard takes I/N"),
        (("--workers", "0"), "workers and threads must be at least 1"),
    ):
        assert generate(work, *args) == 2
        assert message in capsys.readouterr().err
    assert not (work / "out").exists()
    assert cad("stats", work) == 2 and "annotations.jsonl is missing" in capsys.readouterr().err
    assert cad("generate", work / "none.py", "--out", work / "out") == 2


def test_help_imports_nothing_heavy():
    for action in ((), ("generate",), ("stats",), ("show",)):
        command = [sys.executable, "-X", "importtime", ROOT / "tools/cad.py", *action, "--help"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
        imported = {line.rsplit("|", 1)[1].strip() for line in shown.stderr.splitlines() if "|" in line}
        assert "usage" in shown.stdout and "argparse" in imported
        assert not imported & {"numpy", "PIL", "cv2", "torch", "mmengine", "matplotlib"}


@pytest.mark.slow
def test_torchrun_makes_the_same_in_two_processes(work):
    paths = [str(ROOT / "tests/generation/pipeline"), str(ROOT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += [ROOT / "tools/cad.py", "generate", work / "config.py", "--out", work / "two"]
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "12 photos (9 train, 3 val) of 4 source photos" in done.stdout and "part 1 of 2" in done.stdout
    assert generate(work) == 0
    assert contents(work / "two") == contents(work / "out")

"""What tools/ablate.py runs, leaves alone, says and writes; the trainings are faked."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tools"), str(ROOT / "tests/apis")]

import ablate  # noqa: E402
from ablation_cases import FakeTools  # noqa: E402

from procrop.apis import ablation_run  # noqa: E402


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Ten test photos."""
    from procrop.datasets.toy import ToySettings, write_toy_dataset

    out = tmp_path_factory.mktemp("ablate") / "toy"
    write_toy_dataset(out, ToySettings(images=10, gallery=0, splits=(0.0, 0.0, 1.0), size=(128, 96)))
    return out


@pytest.fixture
def tools(tmp_path, toy, monkeypatch):
    return FakeTools(tmp_path / "fake", toy, monkeypatch)


@pytest.fixture
def ablation(tools, tmp_path):
    """Runs the tool on the folder of configs."""

    def call(*args):
        return ablate.main([str(tools.configs), "--out", str(tmp_path / "out"), "--resamples", "500", *args])

    call.out = tmp_path / "out"
    return call


def rows(out):
    """Lines of table.csv by config and score."""
    with open(out / "table.csv") as file:
        return {(row["config"], row["metric"]): row for row in csv.DictReader(file)}


def test_means_spreads_and_differences(ablation, tools, capsys):
    assert ablation("--seeds", "0", "1") == 0
    table = rows(ablation.out)
    for name, x in (("k00", 0), ("k01", 1), ("k06", 6)):
        row = table[name, "crop_best/iou@1"]
        means = [tools.iou[name, seed].mean() for seed in (0, 1)]
        assert float(row["mean"]) == pytest.approx(np.mean(means), abs=1e-9)
        assert float(row["std"]) == pytest.approx(abs(means[0] - means[1]) / np.sqrt(2), abs=1e-9)
        assert (float(row["x"]), row["seeds"]) == (x, "2")
    change = np.mean([tools.iou["k06", s] - tools.iou["k00", s] for s in (0, 1)], axis=0)
    row = table["k06", "crop_best/iou@1"]
    assert float(row["difference"]) == pytest.approx(change.mean(), abs=1e-9)
    error = change.std() / np.sqrt(len(change))
    assert float(row["high"]) - float(row["low"]) == pytest.approx(2 * 1.96 * error, rel=0.25)
    assert row["reference"] == "k00" and table["k00", "crop_best/iou@1"]["difference"] == ""
    text = (ablation.out / "report.md").read_text()
    assert "| k06 | 0 1 | " in text and f"{change.mean():+.4f} (" in text and "10 photos" in text
    assert text.strip() in capsys.readouterr().out
    results = json.loads((ablation.out / "results.json").read_text())
    assert set(results["runs"]) == {f"k{k} seed {s}" for k in ("00", "01", "06") for s in (0, 1)}


def test_what_is_finished_is_not_done_again(ablation, tools):
    assert ablation() == 0
    assert len(tools.calls()) == 6
    pictures = {path: path.read_bytes() for path in ablation.out.glob("*.*")}
    assert len(pictures) == 4
    assert ablation() == 0 and not tools.calls()
    assert {path: path.read_bytes() for path in pictures} == pictures
    assert ablation("--seeds", "0", "1") == 0
    assert [line.split()[:3] for line in tools.calls()] == [
        [what, f"k{k}", "1"] for what in ("test", "train") for k in ("00", "01", "06")
    ]


def test_a_failed_run_is_reported_and_the_others_go_on(ablation, tools, capsys):
    tools.trouble("k01", 1)
    assert ablation() == 1
    said = capsys.readouterr()
    log = ablation.out / "k01/seed0/log.txt"
    text = f"k01 seed 0: FAILED: train.py ended with 1; the end of {log}:\nerror: the disk is full\nGet it by command 0"
    assert text in said.err and "Get it by command 8" in said.err
    assert {name for name, _ in rows(ablation.out)} == {"k00", "k06"}
    line = "k01 seed 0: train.py ended with 1: error: the disk is full\n"
    assert f"## Without results\n\n- {line}" in said.out
    tools.calls()
    assert ablation() == 0
    assert [line.split()[1] for line in tools.calls()] == ["k01", "k01"]
    assert "Without results" not in capsys.readouterr().out


def test_an_interrupted_training_goes_on(ablation, tools, capsys):
    tools.trouble("k00", 130)
    assert ablation() == 130
    assert "interrupted" in capsys.readouterr().err and not (ablation.out / "report.md").exists()
    tools.calls()
    assert ablation() == 0
    assert [line for line in tools.calls() if "train k00" in line][0].split()[3] == "auto"


@pytest.mark.parametrize(
    ("lines", "shown", "reason"),
    [
        (["a", "error: no", "b", "error (process 1): yes", "c"], ["error (process 1): yes", "c"], None),
        ([*"123456789"], [*"456789"], "9"),
        (["errors: none", "Killed"], ["errors: none", "Killed"], "Killed"),
        ([], [], "without a word"),
    ],
)
def test_the_end_of_a_log(lines, shown, reason):
    assert ablation_run._end(lines) == (shown, reason or "error (process 1): yes")


@pytest.mark.parametrize("more", [[], ["--only-report"]])
def test_results_of_other_settings_are_refused(ablation, tools, capsys, more):
    assert ablation() == 0
    tools.calls()
    assert ablation("--cfg-options", "train_cfg.max_epochs=3", *more) == 2
    assert "holds results of other settings (digest, options changed since)" in capsys.readouterr().err
    config = tools.configs / "k00.py"
    config.write_text(config.read_text() + "optim_wrapper = dict(optimizer=dict(lr=0.5))\n")
    assert ablation(*more) == (0 if more else 2)
    assert not tools.calls()
    said = capsys.readouterr()
    if more:  # the others' results are shown, and not these
        line = "- k00 seed 0: its results are of other settings (digest changed since)\n"
        assert f"## Without results\n\n{line}" in said.out
        assert {name for name, _ in rows(ablation.out)} == {"k01", "k06"} and "| less k01 |" in said.out
    else:
        assert "k00/seed0: holds results of other settings (digest changed since)" in said.err


def test_only_report_runs_nothing(ablation, tools, capsys):
    assert ablation("--only-report") == 2
    assert "no finished test" in capsys.readouterr().err
    tools.trouble("k06", 1)
    assert ablation() == 1
    tools.calls()
    assert ablation("--only-report", "--metrics", "crop_best/iou@*") == 0
    assert not tools.calls()
    text = capsys.readouterr().out
    assert (
        "| config | seeds | crop_best/iou@1 | crop_best/iou@2 | crop_best/iou@3 | crop_best/iou@avg |" in text
    )
    assert "- k06 seed 0: not finished" in text


def test_further_test_sets(ablation, tools, toy):
    part = tools.folder / "test_on_toy.py"
    part.write_text(
        f"_base_ = [{str(ROOT / 'configs/transfer/test_on_gaicv2.py')!r}]\n"
        f"test_dataloader = dict(dataset=dict(data_root={str(toy)!r}))\n"
    )
    assert ablation("--test-on", str(part)) == 0
    assert "test k06 0 test_on_toy" in tools.calls()
    text = (ablation.out / "report.md").read_text()
    assert f"## GAICDataset {toy} test, " in text and f"## test_on_toy: GAICDataset {toy} test, " in text
    part.write_text(part.read_text() + "test_evaluator = [dict(type='CropIoUDisp')]\n")
    assert ablation("--test-on", str(part)) == 0  # another test set now: only its tests are old
    assert tools.calls() == [f"test k{k} 0 test_on_toy" for k in ("00", "01", "06")]


def test_a_test_set_that_cannot_be_used_keeps_no_other_from_being_done(ablation, tools, toy, capsys):
    parts = tools.folder / "tests"
    parts.mkdir()
    text = f"_base_ = [{str(ROOT / 'configs/transfer/test_on_gaicv2.py')!r}]\n"
    for name, root in (("a_gone", tools.folder / "gone"), ("b_toy", toy)):
        (parts / f"{name}.py").write_text(
            f"{text}test_dataloader = dict(dataset=dict(data_root={str(root)!r}))\n"
        )
    (tools.folder / "a_gone.trouble").write_text("error: GAICD was not found")
    assert ablation("--test-on", str(parts)) == 1
    said = capsys.readouterr()
    calls = tools.calls()
    assert [line for line in calls if "b_toy" in line] == [f"test k{k} 0 b_toy" for k in ("00", "01", "06")]
    warning = "warning: a_gone cannot be tested on yet: GAICD v2, split 'test', was not found"
    assert said.err.count(warning) == 1 and said.err.index(warning) < said.err.index("k00 seed 0: ")
    assert "warning: b_toy cannot be tested on yet: the references of its photos are not complete" in said.err
    open_tests = said.out.partition("## Without results\n\n")[2].partition("\n\n")[0].splitlines()[:3]
    assert open_tests == [
        f"- k{k} seed 0 on a_gone: test.py ended with 1: error: GAICD was not found"
        for k in ("00", "01", "06")
    ]
    (tools.folder / "a_gone.trouble").unlink()
    assert ablation("--test-on", str(parts)) == 0
    assert tools.calls() == [f"test k{k} 0 a_gone" for k in ("00", "01", "06")]


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells of it in /proc")
def test_a_killed_ablation_takes_its_training_along(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "out/v/seed0").mkdir(parents=True)
    (tmp_path / "tools/train.py").write_text(
        "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"
    )
    script = tmp_path / "ablation.py"
    script.write_text(
        "from concurrent.futures import ThreadPoolExecutor\nfrom pathlib import Path\n"
        "from types import SimpleNamespace\nfrom procrop.apis import ablation_run\n"
        f"here = ablation_run.ROOT = Path({str(tmp_path)!r})\n"
        "run = ablation_run.AblationRun(SimpleNamespace(out=here / 'out'), SimpleNamespace(name='v'), 0)\n"
        "with ThreadPoolExecutor(1) as pool:\n    pool.submit(run._call, 'train.py').result()\n"
    )
    log = tmp_path / "out/v/seed0/log.txt"
    with subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": str(ROOT)}) as ablation:
        try:
            wait_for(lambda: log.exists() and log.read_text().endswith("\n"))
        finally:
            ablation.kill()
    # ended, or ended and not yet waited for by the process that inherited it
    stat = Path("/proc", log.read_text().strip(), "stat")
    wait_for(lambda: not stat.exists() or ") Z " in stat.read_text())


def wait_for(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_jobs_share_the_cores(ablation, tools, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert ablation("--jobs", "3") == 0
    assert {line.split()[4] for line in tools.calls() if line.startswith("train")} == {"2"}


def test_predictions_of_another_test_give_no_intervals(ablation, tools, capsys):
    assert ablation() == 0
    tools.spoil(ablation.out, "k06")
    assert ablation() == 0
    text = capsys.readouterr().out
    assert "No intervals: " in text and "its predictions give " in text
    assert all(row["difference"] == "" for row in rows(ablation.out).values())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--reference", "k07"], "no such config; there are: k00, k01, k06"),
        (["--x", "optimizer.lrr"], "no number at optimizer.lrr"),
        (["--jobs", "0"], "--jobs must be 1 or more"),
        (["--seeds", "1", "1"], "different numbers"),
        (["--cfg-options", "train_cfg.max_epoch=1"], "max_epochs"),
        (["--test-on", str(ROOT / "configs/procrop_toy.py")], "names a model, and a test set is wanted"),
    ],
)
def test_bad_usage(ablation, tools, capsys, args, words):
    assert ablation(*args) == 2
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said and not tools.calls()


def test_a_metric_that_is_not_there(ablation, capsys):
    assert ablation("--metrics", "crop/iuo@1") == 2
    assert "--metrics crop/iuo@1: no such figure; there are: " in capsys.readouterr().err


@pytest.mark.slow
def test_real_trainings(tmp_path, toy):
    """Two configs without references, an epoch each; the table has what tools/test.py found."""
    for name in ("narrow", "wide"):
        queries = dict(narrow=8, wide=24)[name]
        (tmp_path / f"{name}.py").write_text(
            f"_base_ = [{str(ROOT / 'configs/baselines/cdetr_toy.py')!r}]\n"
            f"model = dict(bbox_head=dict(num_queries={queries}))\n"
        )
    loaders = [f"{split}_dataloader.dataset.{item}" for split in ("train", "val") for item in ("split=test",)]
    options = [*loaders, "train_cfg.max_epochs=1"]
    options += [f"{split}_dataloader.dataset.data_root={toy}" for split in ("train", "val", "test")]
    args = [str(tmp_path / f"{name}.py") for name in ("narrow", "wide")]
    out = tmp_path / "out"
    assert ablate.main([*args, "--out", str(out), "--jobs", "2", "--cfg-options", *options]) == 0
    table = rows(out)
    found = json.loads((out / "wide/seed0/tests/own/test_metrics.json").read_text())
    assert float(table["wide", "crop_best/iou@1"]["mean"]) == pytest.approx(found["crop_best/iou@1"])
    assert table["wide", "crop_best/iou@1"]["low"] and table["wide", "crop_best/iou@1"]["x"] == "24"

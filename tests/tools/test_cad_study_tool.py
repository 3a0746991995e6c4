"""What the study of two stages asks the tools to do, and what it reports of their predictions."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from procrop.apis.mechanism.weak_labels import DECOYS, KEYS, MODELS, ONE, TWO, WeakLabelStudy, report
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.datasets.pseudo_labels import PhotoLabels, PseudoLabelStore
from procrop.datasets.records import CropRecord, CropSet
from procrop.structures import boundary_displacement, box_iou

TOOL = Path(__file__).parents[2] / "tools" / "cad_study.py"
SIZE = (100, 80)


def make_study(out, **changes):
    annotations = out / "cad" / "annotations.jsonl"
    if not annotations.exists():
        annotations.parent.mkdir()
        annotations.touch()
    args = dict(out=out, data=out / "cad", flms=None, photos=4, epochs=8, probes=0, decoys=True, jobs=1)
    return WeakLabelStudy(argparse.Namespace(**(args | changes)), seed=3)


@pytest.fixture
def tested(tmp_path):
    """A study whose models have predicted three crops for each of six held-out photos of three sources."""
    rng = np.random.default_rng(0)
    known = {f"s{n // 2}_{n % 2}": [10 + n, 10, 70, 60 - n] for n in range(6)}
    records = [
        CropRecord(n, f"{n}.jpg", [box], [5.0], source_id=n[:2], size=SIZE, extra={"split": "test"})
        for n, box in known.items()
    ]
    get_format("cad").save(CropSet("cad", records, tmp_path, Problems()), tmp_path / "cad", None, Problems())
    study = make_study(tmp_path)
    for model in MODELS:
        lines = []
        for name, box in reversed(known.items()):
            noise = {TWO: 2, ONE: 9, DECOYS: 5}[model]
            boxes = np.clip(np.array(box) + rng.uniform(-noise, noise, (3, 4)), 0, [*SIZE, *SIZE])
            lines.append({"img_id": name, "size": SIZE, "boxes": boxes.tolist(), "scores": [0.9, 0.5, 0.1]})
        file = study.predictions(f"held-out photos {model}")
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        if model != ONE:
            store = PseudoLabelStore(study.work(model) / "pseudo_labels")
            boxes = [[0, 0, 80, 70], [5, 5, 90, 75]]
            store.commit([PhotoLabels("s0_0", known["s0_0"], boxes, [3, 2], [0.5, 0.4], SIZE)], epoch=8)
    return study


def test_figures_are_those_of_a_plain_loop(tested):
    found = tested.figures()["sets"]["held-out photos"]
    assert found["sources"] == ["s0", "s0", "s1", "s1", "s2", "s2"]
    for model in MODELS:
        lines = tested.predictions(f"held-out photos {model}").read_text().splitlines()
        rows = {row["img_id"]: row for row in map(json.loads, lines)}
        for i in range(6):
            known, boxes = [[10 + i, 10, 70, 60 - i]], np.array(rows[f"s{i // 2}_{i % 2}"]["boxes"])
            iou, disp = box_iou(boxes, known)[:, 0], boundary_displacement(boxes, known, SIZE)[:, 0]
            for n in (1, 2, 3):
                best = iou[:n].argmax()
                assert found["models"][model][f"iou@{n}"][i] == pytest.approx(iou[best])
                assert found["models"][model][f"disp@{n}"][i] == pytest.approx(disp[best])


def test_report_has_figures_differences_and_labels(tested):
    figures = tested.figures()
    other = json.loads(json.dumps(figures))
    for values in other["sets"]["held-out photos"]["models"][ONE].values():
        values[:] = [0.5] * 6
    text = report({3: figures, 7: other})
    models = figures["sets"]["held-out photos"]["models"]
    for model in MODELS:
        mean = " | ".join(f"{np.mean(models[model][key]):.4f}" for key in KEYS)
        assert (f"| {model} | 3 | {mean} |" in text) and (f"| {model} | mean | " in text)
    two, one = (np.array(models[model]["iou@1"]) for model in (TWO, ONE))
    assert f"| seed 3 | iou@1 | {(two - one).mean():+.4f} | " in text
    pooled = (two - one).mean() / 2 + (two - 0.5).mean() / 2
    assert f"| mean of the seeds | iou@1 | {pooled:+.4f} | " in text
    known = box_iou([[0, 0, 80, 70], [5, 5, 90, 75]], [[10, 10, 70, 60]]).mean()
    pair = box_iou([[0, 0, 80, 70]], [[5, 5, 90, 75]])[0, 0]
    assert f"| {TWO} | 3 | 1 | 8 | 2.00 | {known:.3f} | {pair:.3f} | – |" in text
    assert "seam" not in text.replace("decoy seams", "")
    seams = dict(followed=dict(value=0.1, low=0.05, high=0.15), with_seam=0.3, without_seam=0.2)
    figures["seams"] = {TWO: seams}
    assert f"| {TWO} | 3 | +0.1000 | +0.0500 to +0.1500 | 0.3000 | 0.2000 |" in report({3: figures})


def test_both_go_on_from_one_checkpoint_for_as_many_epochs(tmp_path, monkeypatch):
    study, calls = make_study(tmp_path, flms=tmp_path / "flms"), []

    def call(self, tool, *args):
        calls.append([tool, *map(str, args)])
        if tool == "train.py":
            Path(args[2]).mkdir()
            (Path(args[2]) / "epoch_16.pth").touch()
        else:
            Path(args[args.index("--dump") + 1]).touch()

    monkeypatch.setattr(WeakLabelStudy, "call", call)
    monkeypatch.setattr(WeakLabelStudy, "figures", lambda _: {"done": True})
    assert study.run() == {"done": True}
    assert [call[0] for call in calls] == ["train.py", "test.py", "test.py"] * 3
    two, one, decoys = calls[0], calls[3], calls[6]
    assert two[1] == "configs/cad/procrop_cad_small.py" and two[two.index("--resume") + 1] == "auto"
    assert one[one.index("--resume") + 1] == str(study.work(TWO) / "epoch_8.pth")
    assert "custom_hooks.0.begin_epoch=8" in two and "custom_hooks.0.begin_epoch=8" in decoys
    assert not [option for option in one if option.startswith("custom_hooks")]
    same = [
        [o for o in c if "dataloader" in o or "train_cfg" in o or "scheduler" in o]
        for c in (two, one, decoys)
    ]
    assert same[0] == same[1] == same[2] and "train_cfg.max_epochs=16" in same[0]
    assert calls[2][1] == "configs/transfer/test_on_flms.py"
    calls.clear()
    study.run()  # nothing is done again
    assert calls == []


def test_the_small_configs_take_these_options(tmp_path):
    """Every override has its effect, and the two trainings differ in the hook alone."""
    from mmengine.config import Config, DictAction

    study = make_study(tmp_path)
    root, merged = Path(__file__).parents[2], {}
    for model, (config, _) in MODELS.items():
        cfg = Config.fromfile(root / config)
        parser = argparse.ArgumentParser()
        parser.add_argument("--cfg-options", nargs="+", action=DictAction)
        cfg.merge_from_dict(parser.parse_args(["--cfg-options", *study.options(model)]).cfg_options)
        assert cfg.train_cfg.max_epochs == 16 and cfg.param_scheduler[1].milestones == [14]
        assert cfg.train_dataloader.dataset.indices == 4
        merged[model] = cfg.to_dict()
    hook = merged[TWO].pop("custom_hooks")[0]
    assert (hook["begin_epoch"], hook["interval"]) == (8, 2) and merged[ONE].pop("custom_hooks") == []
    assert merged[TWO] == merged[ONE]


def test_results_of_other_settings_are_refused(tmp_path):
    make_study(tmp_path)
    make_study(tmp_path, decoys=False)
    with pytest.raises(SystemExit, match="other arguments"):
        make_study(tmp_path, photos=5)
    (tmp_path / "cad" / "annotations.jsonl").write_text("{}\n")  # another dataset in the same place
    with pytest.raises(SystemExit, match="other arguments"):
        make_study(tmp_path)


def test_help_imports_nothing_heavy():
    code = (
        f"import runpy, sys; sys.argv = ['x', '--help']; runpy.run_path({str(TOOL)!r}, run_name='__main__')"
    )
    check = f"import sys, atexit; atexit.register(lambda: print('heavy', 'numpy' in sys.modules)); {code}"
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert shown.returncode == 0 and "heavy False" in shown.stdout


def test_what_cannot_be_studied_is_refused_before_any_training(tmp_path):
    for args, message in (
        ((tmp_path, "--epochs", "1"), "each stage needs at least 2"),
        ((tmp_path, "--epochs", "2"), "no finished dataset; make one with tools/cad.py generate"),
    ):
        command = [sys.executable, TOOL, *args, "--out", tmp_path / "study"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2 and message in done.stderr
    assert not (tmp_path / "study").exists()

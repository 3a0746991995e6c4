"""tools/evaluate.py from the outside: FLMS in its release layout, files of predictions good and bad."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropRecord, CropSet
from procrop.evaluation.functional import iou_disp

ROOT = Path(__file__).resolve().parents[2]
SIZES = {f"p{i}": (120 + 10 * i, 90) for i in range(6)}


def _boxes(rng, size, count):
    low = rng.uniform(0, 0.3, (count, 2)) * size
    high = rng.uniform(0.6, 1, (count, 2)) * size
    return np.concatenate([low, high], axis=1).round()


@pytest.fixture(scope="module")
def flms(tmp_path_factory):
    """Folder and annotated crops of a small FLMS."""
    root, rng = tmp_path_factory.mktemp("flms"), np.random.default_rng(0)
    crops = {name: _boxes(rng, size, 5) for name, size in SIZES.items()}
    records = [CropRecord(name, f"{name}.jpg", boxes) for name, boxes in crops.items()]
    (root / "image").mkdir()
    get_format("flms").save(CropSet("flms", records, root / "image"), root, None, Problems())
    for name, size in SIZES.items():
        Image.new("RGB", size).save(root / "image" / f"{name}.jpg")
    return root, crops


def _write(path, predictions):
    lines = []
    for name, boxes in predictions.items():
        scores = [1.0 - i / 9 for i in range(len(boxes))]
        lines.append({"img_id": name, "size": SIZES.get(name), "boxes": boxes.tolist(), "scores": scores})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


@pytest.fixture
def predicted(tmp_path):
    rng = np.random.default_rng(1)
    return {name: _boxes(rng, size, 3) for name, size in SIZES.items()}


def _run(*args):
    main = runpy.run_path(str(ROOT / "tools" / "evaluate.py"))["main"]
    return main([str(arg) for arg in args])


def test_figures_files_and_differences(flms, predicted, tmp_path, capsys):
    root, crops = flms
    better = {name: np.concatenate([crops[name][:1], boxes]) for name, boxes in predicted.items()}
    files = [_write(tmp_path / "one.jsonl", predicted), "two=" + _write(tmp_path / "b.jsonl", better)]
    outputs = [tmp_path / name for name in ("r.json", "r.md", "r.csv")]
    options = ["--json", outputs[0], "--markdown", outputs[1], "--per-photo", outputs[2], "--resamples", 200]
    assert _run(*files, "--dataset", f"flms:{root}", "--baseline", "full_photo", *options) == 0
    text = capsys.readouterr().out
    assert (
        "6 photos" in text
        and "two - one" in text
        and "full_photo - one" in text
        and "random grid box" in text
    )
    content = json.loads(outputs[0].read_text())
    one, two, full = (model["figures"] for model in content["models"])
    expected = np.mean([iou_disp(predicted[n], crops[n], SIZES[n]) for n in SIZES], axis=0)
    assert one["crop/iou@1"] == pytest.approx(expected[0, 0]) and one["crop/disp@3"] == pytest.approx(
        expected[1, 2]
    )
    assert two["crop/iou@1"] == 1.0
    assert full["crop/iou@1"] == pytest.approx(content["floors"]["crop/full_photo_iou"])
    change = content["differences"][0]["figures"]["crop/iou@1"]
    assert change["value"] == pytest.approx(1 - expected[0, 0]) and change["low"] > 0 and change["p"] < 0.05
    assert f"| one | {expected[0, 0]:.3f} | {expected[1, 0]:.3f} |" in outputs[1].read_text()
    assert len(outputs[2].read_text().splitlines()) == 1 + 3 * 6


def test_missing_and_unknown_photos_and_bad_lines(flms, predicted, tmp_path, capsys):
    root, _ = flms
    del predicted["p0"]
    predicted["stranger"] = np.zeros((1, 4))
    file = _write(tmp_path / "one.jsonl", predicted)
    with open(file, "a") as end:
        end.write("{\n")
    assert _run(file, "--dataset", f"flms:{root}") == 1
    errors = capsys.readouterr().err
    assert "p0: photo without a prediction" in errors and "'stranger' is not in the dataset" in errors
    assert "one.jsonl:7: not a line of JSON" in errors
    assert _run(file, "--dataset", f"flms:{root}", "--strict") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "one.jsonl:7" in line and "1 x not a line of JSON" in line


def test_a_constant_crop_is_fitted_kept_and_used_again(flms, predicted, tmp_path, capsys):
    root, _ = flms
    spec, file = f"flms:{root}", _write(tmp_path / "one.jsonl", predicted)
    fitted = ["--fit-constant", spec, "--save-constant", tmp_path / "c.json"]
    assert _run(file, "--dataset", spec, *fitted, "--json", tmp_path / "a.json") == 0
    assert "constant crop" in capsys.readouterr().out
    assert (
        _run(file, "--dataset", spec, "--constant", tmp_path / "c.json", "--json", tmp_path / "b.json") == 0
    )
    a, b = (json.loads((tmp_path / name).read_text())["floors"] for name in ("a.json", "b.json"))
    assert a == b and a["crop/constant_crop_iou"] >= max(a["crop/full_photo_iou"], a["crop/centre_crop_iou"])
    kept = json.loads((tmp_path / "c.json").read_text())
    assert kept["photos"] == 6 and kept["dataset"] == spec
    assert kept["crops"]["crop/iou"]["figure"] == pytest.approx(a["crop/constant_crop_iou"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a file of predictions, a --baseline, or --floors"),
        (["nowhere.jsonl"], "nowhere.jsonl: the predictions cannot be read"),
        (["--baseline", "x"], "unknown baseline 'x'; known: full_photo"),
        (["--baseline", "centre", "--protocols", "x"], "unknown protocol 'x'"),
        (["--baseline", "centre", "--protocols", "grid"], "has no scores, so none of its crops is better"),
        (["--baseline", "centre", "--eps", "2"], "--eps 2: an IoU above 0"),
        (["--baseline", "centre", "--save-constant", "c.json"], "name the training set"),
        (["--baseline", "centre", "--positive-threshold", "3"], "only for --protocols ap"),
        (["--baseline", "centre", "--json", "tests"], "tests: is a folder"),
        (["--floors", "--baseline", "centre"], "--floors measures no model"),
        (["--baseline", "centre", "--tag", "human"], "no record has the tag 'human'"),
        (["--baseline", "centre", "--constant", "nowhere.json"], "nowhere.json: no file of constant crops"),
    ],
)
def test_wrong_use_is_one_line(flms, arguments, words, capsys):
    assert _run(*arguments, "--dataset", f"flms:{flms[0]}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_floors_alone_are_those_beside_a_model(flms, predicted, tmp_path, capsys):
    spec, file = f"flms:{flms[0]}", _write(tmp_path / "one.jsonl", predicted)
    assert _run(file, "--dataset", spec, "--json", tmp_path / "beside.json") == 0
    assert _run("--floors", "--dataset", spec, "--json", tmp_path / "alone.json") == 0
    beside, alone = (
        json.loads((tmp_path / f"{name}.json").read_text())["floors"] for name in ("beside", "alone")
    )
    assert beside == pytest.approx(alone) and len(alone) > 6
    assert "is not known" not in capsys.readouterr().out


def test_random_floors_need_no_photo(tmp_path, capsys):
    boxes = np.array([[0, 0, 10, 10], [0, 0, 9, 10], [5, 5, 30, 30], [20, 0, 40, 9.0]])
    records = [CropRecord(f"p{i}", f"p{i}.jpg", boxes, [4.0, 3, 2, 1]) for i in range(2)]
    get_format("gaicv2").save(CropSet("", records, tmp_path), tmp_path, "test", Problems())
    assert _run("--floors", "--dataset", f"gaicv2:{tmp_path}:test", "--json", tmp_path / "f.json") == 0
    found = json.loads((tmp_path / "f.json").read_text())["floors"]
    assert found["grid/random_acc_1/5_ties"] == 1 and found["acc/random_best_crop_recall_5@0.85"] == 1
    assert not [key for key in found if "full_photo" in key or key.startswith("crop")]
    assert (
        "the size of 2 photo(s) is not known: left out are fixed crops, crop_best" in capsys.readouterr().out
    )


def test_unknown_datasets_are_told(capsys):
    assert _run("--baseline", "centre", "--dataset", "nothing:here") == 2
    assert "unknown dataset format 'nothing'" in capsys.readouterr().err


def test_runs_without_torch_and_mmengine(flms, predicted, tmp_path):
    file = _write(tmp_path / "one.jsonl", predicted)
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        f"sys.argv = ['evaluate.py', {file!r}, '--dataset', 'flms:{flms[0]}']\n"
        "import runpy\n"
        "runpy.run_path('tools/evaluate.py', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "crop/iou@1" in done.stdout

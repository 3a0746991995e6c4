"""tools/compare_models.py: which photos it shows, the figures beneath, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procrop.apis.model_comparison import choose_photos, draw_comparison, ranked_crops, shown_annotation
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropRecord, CropSet
from procrop.evaluation.predictions import Prediction, read_predictions

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

import compare_models as tool  # noqa: E402

WIDTH, HEIGHT = 100, 80
CROPS = [[10, 10, 90, 70], [0, 0, 100, 80]]


@pytest.fixture
def flms(tmp_path):
    """Five photos in FLMS's layout with two crops each, and a function that writes predictions of them."""
    root = tmp_path / "flms"
    records = []
    for number in range(5):
        (root / "image").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (40 * number, 90, 200)).save(root / "image" / f"p{number}.png")
        records.append(CropRecord(f"p{number}", f"p{number}.png", np.array(CROPS, float)))
    get_format("flms").save(CropSet("flms", records, root / "image"), root, None, Problems())

    def write(name, boxes, size=(WIDTH, HEIGHT), ids=None):
        lines = [
            dict(img_id=i, size=size, boxes=b, scores=[0.9 - 0.1 * rank for rank in range(len(b))])
            for i, b in zip(ids or [f"p{n}" for n in range(5)], boxes, strict=True)
        ]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return f"{name}={path}"

    return write


def run(root, *args):
    return tool.main(["--dataset", f"flms:{root}", *(str(arg) for arg in args)])


def test_sheet_and_figures(flms, tmp_path, capsys):
    full = flms("full", [[[0, 0, 100, 80]]] * 5)
    half = flms("half", [[[0, 0, 50, 80], [10, 10, 90, 70]]] * 5)
    assert run(tmp_path / "flms", full, half, "--out", tmp_path / "out") == 0
    found = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert found["models"]["full"] == {"iou": 1, "disp": 0, "photos": 5}
    # of both annotated crops the left half overlaps the smaller one by 40 x 60, the larger one by half of it
    assert found["models"]["half"] == {"iou": 0.5, "disp": 0.125, "photos": 5}
    assert sorted(photo["img_id"] for photo in found["photos"]) == [f"p{n}" for n in range(5)]
    assert Image.open(tmp_path / "out" / "sheet.png").height > 5 * 400
    shown = capsys.readouterr().out
    assert "half                     crop/iou@1 0.5000  crop/disp@1 0.1250\n" in shown
    assert "means over 5 of the 5 photos shown" in shown

    assert run(tmp_path / "flms", full, half, "--out", tmp_path / "two.html", "--top", 2, "--rows", 3) == 0
    assert {path.name for path in tmp_path.glob("*.html")} == {"two.html", "two_2.html"}
    assert "half                     crop/iou@2 1.0000" in capsys.readouterr().out  # the better one of two


def test_photos_are_shown_where_models_differ_most(flms, tmp_path):
    shrinking = [[[0, 0, 100 - 20 * number, 80]] for number in (1, 4, 0, 3, 2)]
    full, half = flms("full", [[[0, 0, 100, 80]]] * 5), flms("half", shrinking)
    out = tmp_path / "out"
    assert run(tmp_path / "flms", full, half, "--out", out, "--sort", "difference", "--limit", 3) == 0
    shown = [photo["img_id"] for photo in json.loads((out / "figures.json").read_text())["photos"]]
    assert shown == ["p1", "p3", "p4"]
    assert run(tmp_path / "flms", full, half, "--out", out, "--ids", "p4", "p0") == 0
    shown = [photo["img_id"] for photo in json.loads((out / "figures.json").read_text())["photos"]]
    assert shown == ["p4", "p0"]


def test_the_random_order_is_the_seeds(flms, tmp_path):
    records = get_format("flms").read(tmp_path / "flms") if flms("full", [[[0, 0, 9, 9]]] * 5) else None
    models = {"full": read_predictions(tmp_path / "full.jsonl", Problems())}
    orders = [
        [r.img_id for r in choose_photos(records, models, limit=4, seed=seed)] for seed in (0, 0, 1, 2, 3)
    ]
    assert orders[0] == orders[1] and len({tuple(order) for order in orders}) >= 3
    in_file = choose_photos(records, models, order="file")
    assert [record.img_id for record in in_file] == [f"p{n}" for n in range(5)]


def test_scored_crops_are_compared_with_the_best_one(tmp_path):
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.png")
    boxes = np.array([*CROPS, [0, 0, 50, 40]], float)
    record = CropRecord("a", "a.png", boxes, scores=np.array([2.0, 3, -2]), subject=np.array([5, 5, 20, 20]))
    records = CropSet("test", [record], tmp_path)
    models = {"m": {"a": Prediction("m.jsonl:1", None, boxes[:1], np.ones(1))}}
    iou = []
    for which in ("auto", "all"):
        found = draw_comparison(records, [record], models, tmp_path / "s.png", which=which)
        iou.append(found.figures["models"]["m"]["iou"])
    assert iou == [pytest.approx(0.6), 1.0]
    np.testing.assert_array_equal(shown_annotation(record), boxes[1])
    unscored = CropRecord("b", "b.png", np.array([[0, 0, 10, 10], [0, 0, 60, 60], [0, 0, 50, 50.0]]))
    np.testing.assert_array_equal(shown_annotation(unscored), [0, 0, 50, 50])


def test_what_cannot_be_shown_is_listed(flms, tmp_path, capsys):
    full = flms("full", [[[0, 0, 100, 80]]] * 4, ids=["p0", "p1", "p2", "stranger"])
    wrong = flms("wrong", [[[0, 0, 100, 80]]] * 2, size=(80, 100), ids=["p1", "p3"])
    (tmp_path / "flms" / "image" / "p2.png").write_bytes(b"no photo")
    assert run(tmp_path / "flms", full, wrong, "--out", tmp_path / "out") == 1
    shown = capsys.readouterr().err
    assert "full: 1 photos are not in the dataset, such as 'stranger'" in shown
    assert "rejected p1: wrong predicted it at 80 × 100, the photo has 100 × 80" in shown
    assert "rejected p2: " in shown
    found = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert found["models"] == {}  # no photo that both have
    assert [photo["models"] for photo in found["photos"]] == [{"full": {"iou": 1, "disp": 0}}]


def test_a_bad_line_is_named_and_the_others_are_shown(flms, tmp_path, capsys):
    model = flms("m", [[[0, 0, 100, 80]]], ids=["p0"])
    path = tmp_path / "m.jsonl"
    good = path.read_text()
    path.write_text(good + '{"img_id": "p1", "boxes": [[1, 2, 3, 4]], "scores": []}\n')
    assert run(tmp_path / "flms", model, "--out", tmp_path / "out") == 1
    shown = capsys.readouterr()
    assert (
        "m.jsonl:2: 'scores' are not as many as 'boxes'" in shown.err
        and "means over 1 of the 1 photos shown" in shown.out
    )
    path.write_text("{\n")
    assert run(tmp_path / "flms", model, "--out", tmp_path / "none") == 2
    assert "no usable line" in capsys.readouterr().err and not (tmp_path / "none").exists()


def test_a_rankers_crops_are_the_annotated_ones(flms, tmp_path, capsys):
    lines = [dict(img_id=f"p{n}", candidate_scores=[0.1, 0.7]) for n in range(4)]
    lines.append(dict(img_id="p4", candidate_scores=[0.1]))
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    flms("unused", [[[0, 0, 9, 9]]] * 5)
    assert run(tmp_path / "flms", f"r={tmp_path / 'r.jsonl'}", "--out", tmp_path / "out") == 1
    shown = capsys.readouterr()
    assert "rejected p4: " in shown.err and "1 candidate_scores for 2 annotated crops" in shown.err
    assert "crop/iou@1 1.0000  crop/disp@1 0.0000\nmeans over 4 of the 4" in shown.out
    record = CropRecord("a", "a.png", np.array(CROPS, float))
    ranked = ranked_crops(Prediction("f:1", None, None, np.zeros(0), np.array([0.1, 0.7])), record)
    np.testing.assert_array_equal(ranked, CROPS[::-1])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--top", 5], "--top 5: must be 1 to 4"),
        (["--limit", 0], "--limit 0: must be 1 or more"),
        (["--sort", "difference"], "needs two models"),
        (["--ids", "p9"], "no record 'p9'"),
        (["m2"], "named NAME=FILE.jsonl"),
        (["m=other.jsonl"], "two models are named 'm'"),
        (["n=other.jsonl"], "other.jsonl: no such file"),
        (["--dataset", "flsm:x"], "unknown dataset format"),
    ],
)
def test_usage(flms, tmp_path, capsys, args, words):
    model = flms("m", [[[0, 0, 9, 9]]], ids=["p0"])
    assert run(tmp_path / "flms", model, "--out", tmp_path / "out", *args) == 2
    assert words in capsys.readouterr().err


def test_annotations_that_cannot_be_used_are_left_out_unless_strict(flms, tmp_path, capsys):
    model = flms("m", [[[0, 0, 100, 80]]] * 5)
    root = tmp_path / "flms"
    records = get_format("flms").read(root).records
    records[2] = CropRecord("p2", "p2.png", np.array([[10, 10, 90, 70], [90, 70, 10, 10]], float))
    get_format("flms").save(CropSet("flms", records, root / "image"), root, None, Problems())
    assert run(root, model, "--out", tmp_path / "out", "--strict") == 2
    assert "crop without area" in capsys.readouterr().err
    assert run(root, model, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr()
    assert "left out 1 x crop without area" in shown.err and "means over 5 of the 5 photos shown" in shown.out


def test_strangers_predictions_and_places_among_the_photos_are_refused(flms, tmp_path, capsys):
    model = flms("m", [[[0, 0, 9, 9]]], ids=["x"])
    assert run(tmp_path / "flms", model, "--out", tmp_path / "out") == 2
    assert "none of its 1 photos is in the dataset, whose names look like 'p0'" in capsys.readouterr().err
    for out in ("flms/image", "flms/image/s.png"):
        assert run(tmp_path / "flms", model, "--out", tmp_path / out) == 2
        assert "a folder of photos" in capsys.readouterr().err


def test_torch_is_not_needed(flms, tmp_path):
    model = flms("m", [[[0, 0, 100, 80]]] * 5)
    code = (
        "import sys; sys.modules.update(torch=None, mmengine=None, mmdet=None); sys.path.insert(0, 'tools'); "
        "import compare_models; "
        f"sys.exit(compare_models.main(['--dataset', 'flms:{tmp_path}/flms', '{model}', '--out', '{tmp_path}/s.jpg']))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert Image.open(tmp_path / "s.jpg").format == "JPEG"

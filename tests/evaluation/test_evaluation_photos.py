"""Annotations and predictions side by side."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procrop.datasets.problems import Problems
from procrop.datasets.records import CropRecord, CropSet
from procrop.evaluation.baselines import baseline_predictions
from procrop.evaluation.evaluation_photos import open_photos
from procrop.evaluation.predictions import Prediction

BOXES = np.array([[0, 0, 50, 50], [10, 10, 90, 70], [0, 0, 100, 80]])


def _record(img_id, **fields):
    return CropRecord(img_id, f"{img_id}.png", BOXES, np.array([2.0, 4.5, 3.0]), **fields)


def _photos(tmp_path, records, name="gaicv2", **options):
    return open_photos(CropSet(name, records, tmp_path), "the set", **options)


def _prediction(boxes=((0, 0, 9, 9),), size=None, **fields):
    return Prediction("p:1", size, np.array(boxes, float), -np.arange(len(boxes), dtype=float), **fields)


def test_sizes_come_from_annotation_photo_and_predictions(tmp_path):
    Image.new("L", (100, 80)).save(tmp_path / "disk.png")
    (tmp_path / "broken.png").write_bytes(b"no photo")
    records = [_record("told", size=(7, 8)), *map(_record, ("disk", "broken", "lost"))]
    photos = _photos(tmp_path, records)
    assert photos.sizes == {"told": (7, 8), "disk": (100, 80)}
    photos.learn_sizes({name: _prediction(size=(100, 80)) for name in ("told", "broken")})
    assert photos.sizes == {"told": (7, 8), "disk": (100, 80), "broken": (100, 80)}
    with pytest.raises(ValueError, match="the set: the size of 1 photo.*'lost'"):
        photos.check_sizes()


def test_predictions_that_do_not_fit_are_misses_and_told(tmp_path):
    photos = _photos(tmp_path, [_record(name, size=(100, 80)) for name in "abcd"])
    problems = Problems()
    found = photos.with_predictions(
        {
            "a": _prediction(),
            "b": _prediction(size=(200, 160)),
            "c": _prediction(candidate_scores=np.zeros(2)),
            "z": _prediction(),
        },
        problems,
    )
    assert [len(record.pred) for record in found] == [1, 0, 0, 0]
    reasons = dict.fromkeys(reason for _, reason in problems.entries)
    words = ("'size'", "as many", "without a prediction", "'z' is not in the dataset")
    assert all(word in reason for word, reason in zip(words, reasons, strict=True)) and len(problems) == 4


def test_positives_follow_the_format(tmp_path):
    def positives(**options):
        photos = _photos(tmp_path, [_record("a", size=(100, 80))], **options)
        return photos.with_predictions({}, Problems())[0].positives.tolist()

    assert positives() == [False, True, False]
    assert positives(name="cpc") == [True, True, True]
    assert positives(positive_from=5.0) == [False, True, False]  # none is that good: the best one
    assert positives(name="other") == [True, True, True]


def test_a_ranker_may_give_scores_only(tmp_path):
    photos = _photos(tmp_path, [_record("a", size=(100, 80))])
    ranker = Prediction("p:1", None, None, np.zeros(0), np.array([0.1, 0.2, 0.9]))
    (record,) = photos.with_predictions({"a": ranker}, Problems())
    assert record.pred.tolist() == BOXES[[2, 1, 0]].tolist()
    assert record.candidate_scores.tolist() == [0.1, 0.2, 0.9]


def test_a_tag_takes_a_subset(tmp_path):
    records = [_record("a", tags=("human",), source_id="s"), _record("b")]
    assert [r.img_id for r in _photos(tmp_path, records, tag="human").records] == ["a"]
    with pytest.raises(ValueError, match=r"no record has the tag 'cat' \(its tags: human\)"):
        _photos(tmp_path, records, tag="cat")


def test_baselines():
    sizes = {"a": (100, 80), "b": (100, 80)}
    assert baseline_predictions("full_photo", sizes)["a"].boxes.tolist() == [[0, 0, 100, 80]]
    np.testing.assert_allclose(baseline_predictions("centre", sizes)["b"].boxes, [[10, 8, 90, 72]])
    first, again = baseline_predictions("random", sizes), baseline_predictions("random", sizes)
    assert first["a"].boxes.tolist() == again["a"].boxes.tolist() != first["b"].boxes.tolist()
    assert sorted(map(tuple, first["a"].boxes)) == sorted(map(tuple, first["b"].boxes))


def test_nothing_here_needs_torch():
    import subprocess
    import sys

    code = (
        "import sys, procrop.evaluation.comparison, procrop.evaluation.evaluation_photos, "
        "procrop.evaluation.constant_crop, procrop.evaluation.named_protocols, procrop.evaluation.photo_sheet; "
        "assert not {'torch', 'mmengine', 'mmdet', 'mmcv'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])

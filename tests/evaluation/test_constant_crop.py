"""The best constant crop against brute force and the cases with a formula; the file it is kept in."""

import json
from itertools import combinations, product

import numpy as np
import pytest
from scored_photos import records

from procrop.evaluation.constant_crop import fit_constant_crops, save_constant_crops, use_constant_crops
from procrop.evaluation.photo_record import make_photo_record
from procrop.evaluation.protocols import BestCropRecall, IoUDisp, TopNAccuracy


def _brute(records, figure, steps):
    """Best mean of ``figure(crop in pixels, record)`` over all crops of a fine lattice."""
    spans = np.array(list(combinations(range(steps + 1), 2))) / steps
    best = None
    for x1, x2 in spans:
        boxes = np.stack([np.full(len(spans), x1), spans[:, 0], np.full(len(spans), x2), spans[:, 1]], axis=1)
        mean = np.mean([figure(boxes * [*r.size, *r.size], r) for r in records], axis=0)
        best = mean if best is None else np.maximum(best, mean)
    return float(best.max())


def test_reaches_what_brute_force_finds():
    from procrop.evaluation.functional import iou_disp_per_prediction

    photos = [r for r in records(9, most=6) if len(r.gt)]
    found = fit_constant_crops([IoUDisp(mode="independent")], photos)
    assert set(found) == {"crop/iou_independent", "crop/disp_independent"}
    iou = _brute(photos, lambda b, r: iou_disp_per_prediction(b, r.gt, r.size, "independent")[0], 20)
    disp = -_brute(photos, lambda b, r: -iou_disp_per_prediction(b, r.gt, r.size, "independent")[1], 20)
    assert found["crop/iou_independent"]["figure"] >= iou - 1e-9
    assert found["crop/disp_independent"]["figure"] <= disp + 1e-9


def test_displacement_of_one_annotation_each_has_the_medians_as_its_answer():
    photos = [r for r in records(30) if len(r.gt)]
    relative = np.array([r.gt[np.argmax(r.mos)] / [*r.size, *r.size] for r in photos])
    least = np.abs(relative - np.median(relative, axis=0)).mean()
    found = fit_constant_crops([IoUDisp(ground_truth="best")], photos)["crop_best/disp"]
    assert least <= found["figure"] <= least + 2e-4


def test_finds_a_hidden_common_crop_exactly_enough():
    rng = np.random.default_rng(0)
    hidden = np.array([0.13, 0.21, 0.77, 0.94])
    photos = []
    for i in range(12):
        size = tuple(rng.integers(200, 900, 2).tolist())
        other = [[0, 0, size[0] * 0.4, size[1] * rng.uniform(0.2, 0.5)]]
        photos.append(make_photo_record(str(i), size, [*other, hidden * [*size, *size]], [2.0, 4.5]))
    found = fit_constant_crops([IoUDisp(), TopNAccuracy(0.9, (1,)), BestCropRecall(0.95)], photos)
    np.testing.assert_allclose(found["crop/iou"]["crop"], hidden, atol=2e-3)
    np.testing.assert_allclose(found["crop/disp"]["crop"], hidden, atol=2e-3)
    assert found["acc/acc_1@0.9"]["figure"] == found["acc/best_crop@0.95"]["figure"] == 1.0


def test_is_deterministic_and_bounds_the_other_fixed_crops():
    photos = [r for r in records(40) if len(r.gt)]
    protocols = [IoUDisp(ground_truth="best"), TopNAccuracy(0.8), BestCropRecall(0.8)]
    found = fit_constant_crops(protocols, photos)
    assert found == fit_constant_crops(protocols, photos)
    use_constant_crops(protocols, found)
    for protocol in protocols:
        figures = protocol.measure(photos).means()
        constant = {k: v for k, v in figures.items() if k.startswith("constant_crop_")}
        assert constant
        for key, value in constant.items():
            for other in ("full_photo_", "centre_crop_"):
                beaten = figures[key.replace("constant_crop_", other)]
                assert value <= beaten if "disp" in key else value >= beaten
    acc = protocols[1].measure(photos).means()
    assert acc["constant_crop_acc_1/5@0.8"] == pytest.approx(found["acc/acc_5@0.8"]["figure"])
    assert not {"constant_crop_acc_3/5@0.8", "full_photo_mean_acc_5@0.8"} & set(
        acc
    )  # one crop has no second place


def test_file_there_and_back(tmp_path):
    crops = {
        "crop/iou": {"crop": [0.1, 0.1, 0.9, 0.9], "figure": 0.7},
        "crop_best/iou": {"crop": [0, 0, 1, 1], "figure": 0.6},
    }
    save_constant_crops(tmp_path / "c.json", crops, "gaicv2:train", 2636)
    assert json.loads((tmp_path / "c.json").read_text())["photos"] == 2636
    everything, best, ranking = IoUDisp(), IoUDisp(ground_truth="best"), TopNAccuracy()
    use_constant_crops([everything, best, ranking], tmp_path / "c.json")
    assert everything.constant_crops == {"iou": [0.1, 0.1, 0.9, 0.9]}
    assert best.constant_crops == {"iou": [0, 0, 1, 1]} and ranking.constant_crops == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 1}',
        '{"version": 2, "crops": {}}',
        '{"version": 1, "crops": {"a/b": {"crop": [0, 0, 2, 1]}}}',
    ],
)
def test_bad_files_are_told(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ValueError, match="c.json"):
        use_constant_crops([IoUDisp()], tmp_path / "c.json")


def test_nothing_to_fit_on():
    with pytest.raises(ValueError, match="training set"):
        fit_constant_crops([IoUDisp()], [])


def test_lattice_covers_every_crop():
    from procrop.evaluation.constant_crop import _lattice

    lattice = {tuple(np.round(row * 12).astype(int)) for row in _lattice()}
    expected = {c for c in product(range(13), repeat=4) if c[0] < c[2] and c[1] < c[3]}
    assert lattice == expected

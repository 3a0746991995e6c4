"""The metrics around the formulas: reading samples, bad input, averaging, floors, several processes."""

import math
import socket

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from procrop.evaluation.functional import (
    best_crop_recall,
    iou_disp,
    random_topn_accuracy,
    srcc,
    topn_accuracy,
)
from procrop.evaluation.metrics import CropIoUDisp, CropTopNAccuracy, GridAccuracy
from procrop.evaluation.score_table import floor_of, score_table
from procrop.registry import METRICS
from procrop.structures import CropDataSample, gaic_grid_anchors
from procrop.structures.boxes import box_iou

SIZE = (640, 480)


def _sample(seed, preds=12):
    """A photo with the grid crops of a GAICD file and jittered crops as predictions, unsorted."""
    rng = np.random.default_rng(seed)
    boxes = gaic_grid_anchors(*SIZE)
    mos = rng.integers(4, 21, len(boxes)) / 4.0
    shown = boxes[rng.permutation(len(boxes))[:preds]] + rng.uniform(-15, 15, (preds, 4))
    sample = CropDataSample(metainfo={"img_id": f"photo{seed}", "ori_shape": SIZE[::-1]})
    sample.gt_crops = InstanceData(bboxes=boxes, scores=mos, positives=mos >= 4.0)
    sample.pred_instances = InstanceData(
        bboxes=torch.from_numpy(shown), scores=torch.from_numpy(rng.integers(0, 9, preds) / 10.0)
    )
    sample.candidate_scores = torch.from_numpy(mos + rng.normal(0, 1, len(mos)))
    return sample


def _run(metric, samples):
    for start in range(0, len(samples), 2):
        metric.process(None, [sample.to_dict() for sample in samples[start : start + 2]])
    return metric.evaluate(len(samples))


def _ranked(sample):
    scores = sample.pred_instances.scores.numpy()
    return sample.pred_instances.bboxes.numpy()[np.lexsort((np.arange(len(scores)), -scores))]


def _without_gt(sample):
    sample.gt_crops = InstanceData(bboxes=np.zeros((0, 4)), scores=np.zeros(0), positives=np.zeros(0, bool))
    return sample


def test_topn_accuracy_averages_the_formula_and_names_the_protocol():
    samples = [_sample(seed) for seed in range(5)]
    figures = _run(CropTopNAccuracy(), samples)
    for n in (5, 10):
        rows, recalls, floors = [], [], []
        for sample in samples:
            gt, mos = sample.gt_crops.bboxes, sample.gt_crops.scores
            iou = box_iou(_ranked(sample), gt)
            rows.append(topn_accuracy(iou, mos, n))
            recalls.append(best_crop_recall(iou, mos, n))
            floors.append(random_topn_accuracy(box_iou(gt, gt), mos, n))
        for k in (1, 2, 3, 4):
            assert figures[f"acc/acc_{k}/{n}@0.85"] == pytest.approx(np.mean(rows, axis=0)[k - 1])
        assert figures[f"acc/mean_acc_{n}@0.85"] == pytest.approx(np.mean(rows))
        assert figures[f"acc/best_crop_recall_{n}@0.85"] == pytest.approx(np.mean(recalls))
        assert figures[f"acc/random_acc_1/{n}@0.85"] == pytest.approx(np.mean(floors))
    assert figures["acc/photos"] == 5.0
    assert all(type(v) is float and math.isfinite(v) for v in figures.values())


def test_topn_accuracy_keys_tell_the_options():
    figures = _run(
        CropTopNAccuracy(eps=(0.85, 0.9), ns=(5,), ks=(1,), ties="include", one_to_one=True), [_sample(0)]
    )
    names = {key.removeprefix("acc/") for key in figures}
    assert {name.removeprefix(floor_of(name) or "") for name in names} == {
        *(f"acc_1/5@{eps}_ties_1to1" for eps in ("0.85", "0.9")),
        *(f"mean_acc_5@{eps}_ties_1to1" for eps in ("0.85", "0.9")),
        *(f"best_crop_recall_5@{eps}_ties" for eps in ("0.85", "0.9", "avg")),
        "photos",
        "excluded",
        "without_prediction",
    }


@pytest.mark.parametrize("mode", ["same_annotation", "independent"])
@pytest.mark.parametrize("ground_truth", ["all", "positives", "best"])
def test_iou_disp_averages_the_formula(ground_truth, mode):
    samples = [_sample(seed) for seed in range(4)]
    figures = _run(CropIoUDisp(ground_truth=ground_truth, mode=mode), samples)
    expected = []
    for sample in samples:
        mos = sample.gt_crops.scores
        rows = {"all": mos > 0, "positives": mos >= 4.0, "best": [int(np.argmax(mos))]}[ground_truth]
        expected.append(iou_disp(_ranked(sample), sample.gt_crops.bboxes[rows], SIZE, mode=mode))
    expected = np.mean(expected, axis=0)
    names = ("iou", "disp") if mode == "same_annotation" else ("iou_independent", "disp_independent")
    random = "random_grid_" if ground_truth == "all" else "random_"
    prefix = "crop" if ground_truth == "all" else f"crop_{ground_truth}"  # the key says what is compared with
    for row, name in enumerate(names):
        for column, n in enumerate((1, 2, 3)):
            assert figures[f"{prefix}/{name}@{n}"] == pytest.approx(expected[row, column])
        assert figures[f"{prefix}/{name}@avg"] == pytest.approx(expected[row].mean())
        for floor in (f"{random}{name}@1", f"full_photo_{name}", f"centre_crop_{name}"):
            assert 0 <= figures[f"{prefix}/{floor}"] <= 1


def test_floors_of_iou_disp_by_hand():
    sample = CropDataSample(metainfo={"img_id": "a", "ori_shape": (100, 200)})
    sample.gt_crops = InstanceData(
        bboxes=np.array([[0, 0, 100, 100.0], [0, 0, 200, 50]]), scores=np.array([5.0, 1.0])
    )
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[0.0, 0, 100, 100]]), scores=torch.tensor([0.5])
    )
    figures = _run(CropIoUDisp(topk=(1, 2), ground_truth="best"), [sample])
    assert figures["crop_best/iou@1"] == figures["crop_best/iou@2"] == 1.0
    # the other crop shares 5,000 of 15,000 square pixels and moves two edges by half a side
    assert figures["crop_best/random_iou@1"] == pytest.approx((1 + 1 / 3) / 2)
    assert figures["crop_best/random_disp@1"] == pytest.approx((0 + 0.25) / 2)
    assert figures["crop_best/random_iou@2"] == 1.0
    assert figures["crop_best/full_photo_iou"] == pytest.approx(0.5)
    assert figures["crop_best/full_photo_disp"] == pytest.approx(0.125)
    assert figures["crop_best/centre_crop_iou"] == pytest.approx(6400 / (10000 + 12800 - 6400))


def test_grid_accuracy_averages_the_formula():
    samples = [_sample(seed) for seed in range(4)]
    for sample in samples:
        del sample.pred_instances  # a ranker need not propose crops
    figures = _run(GridAccuracy(), samples)
    expected = np.mean([srcc(s.candidate_scores.numpy(), s.gt_crops.scores) for s in samples])
    assert figures["grid/srcc"] == pytest.approx(expected)
    assert figures["grid/random_srcc"] == 0.0
    assert figures["grid/acc_1/5_ties"] > figures["grid/random_acc_1/5_ties"]
    assert figures["grid/wacc_1/10"] > figures["grid/random_wacc_1/10"]


def test_grid_accuracy_refuses_a_model_that_scores_no_candidates():
    sample = _sample(0)
    del sample.candidate_scores
    with pytest.raises(ValueError, match="photo0.*candidate_scores.*CropTopNAccuracy"):
        _run(GridAccuracy(), [sample])
    sample.candidate_scores = torch.zeros(3)
    with pytest.raises(ValueError, match="photo0"):
        _run(GridAccuracy(), [sample])


def test_undefined_correlation_is_left_out_of_its_mean_and_of_the_keys():
    flat = _sample(0)
    flat.gt_crops.scores = np.full(len(flat.gt_crops.scores), 3.0)
    other = _sample(1)
    alone = _run(GridAccuracy(), [other])
    assert _run(GridAccuracy(), [flat, other])["grid/srcc"] == alone["grid/srcc"]
    assert "grid/srcc" not in _run(GridAccuracy(), [flat])


@pytest.mark.parametrize("metric", [CropIoUDisp, CropTopNAccuracy, GridAccuracy])
def test_photos_without_a_valid_crop_are_left_out_and_counted(metric):
    unscored = _sample(7)
    unscored.gt_crops.scores = np.full(len(unscored.gt_crops.scores), -2.0)
    alone = _run(metric(), [_sample(1)])
    figures = _run(metric(), [_sample(1), _without_gt(_sample(2)), unscored])
    name = next(iter(figures)).split("/")[0]
    assert figures.pop(f"{name}/excluded") == 2.0 and alone.pop(f"{name}/excluded") == 0.0
    assert figures == alone
    with pytest.raises(ValueError, match="none of the 1 photos"):
        _run(metric(), [unscored])


@pytest.mark.parametrize("metric", [CropIoUDisp, CropTopNAccuracy, GridAccuracy])
def test_invalid_rows_of_the_annotation_change_nothing(metric):
    clean, dirty = _sample(3), _sample(3)
    gt = clean.gt_crops
    bad = np.array([[5, 5, 5, 9], [10, 10, 50, 50], [np.nan, 0, 9, 9]])
    dirty.gt_crops = InstanceData(
        bboxes=np.concatenate([bad, gt.bboxes]),
        scores=np.concatenate([[5.0, -2.0, 5.0], gt.scores]),
        positives=np.concatenate([[True, False, True], gt.positives]),
    )
    dirty.candidate_scores = torch.cat([torch.tensor([9.0, 9.0, 9.0]), clean.candidate_scores])
    assert _run(metric(), [dirty]) == _run(metric(), [clean])


@pytest.mark.parametrize("metric", [CropIoUDisp, CropTopNAccuracy])
def test_nan_never_wins(metric):
    clean, dirty = _sample(4), _sample(4)
    pred = clean.pred_instances
    nan_box = torch.full((1, 4), float("nan"), dtype=torch.float64)
    dirty.pred_instances = InstanceData(
        bboxes=torch.cat([nan_box, torch.from_numpy(clean.gt_crops.bboxes[:1]), pred.bboxes]),
        scores=torch.cat([torch.tensor([0.99, float("nan")], dtype=torch.float64), pred.scores]),
    )
    assert _run(metric(), [dirty]) == _run(metric(), [clean])


def test_a_photo_without_predictions_is_a_miss_and_counted():
    empty = _sample(5)
    empty.pred_instances = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0))
    figures = _run(CropIoUDisp(), [empty])
    assert (figures["crop/iou@1"], figures["crop/disp@1"], figures["crop/without_prediction"]) == (
        0.0,
        1.0,
        1.0,
    )
    figures = _run(CropTopNAccuracy(), [empty])
    assert figures["acc/mean_acc_10@0.85"] == figures["acc/best_crop_recall_10@0.85"] == 0.0


def test_a_photo_without_positives_is_left_out_of_that_protocol():
    none = _sample(6)
    none.gt_crops.positives = np.zeros(len(none.gt_crops.positives), bool)
    figures = _run(CropIoUDisp(ground_truth="positives"), [none, _sample(1)])
    assert (figures["crop_positives/photos"], figures["crop_positives/excluded"]) == (1.0, 1.0)
    del none.gt_crops.positives
    with pytest.raises(ValueError, match="photo6.*positives"):
        _run(CropIoUDisp(ground_truth="positives"), [none])


def test_missing_parts_of_a_sample_are_told_by_name():
    for part, message in (("gt_crops", "gt_crops"), ("pred_instances", "must predict")):
        sample = _sample(8)
        delattr(sample, part)
        with pytest.raises(ValueError, match=f"photo8.*{message}"):
            _run(CropIoUDisp(), [sample])
    uneven = _sample(8).to_dict()
    uneven["pred_instances"]["scores"] = torch.zeros(3)
    with pytest.raises(ValueError, match="photo8.*12 boxes"):
        CropIoUDisp().process(None, [uneven])


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (CropIoUDisp, {"topk": ()}),
        (CropIoUDisp, {"topk": (0,)}),
        (CropIoUDisp, {"mode": "x"}),
        (CropIoUDisp, {"ground_truth": "x"}),
        (CropTopNAccuracy, {"eps": 0}),
        (CropTopNAccuracy, {"ties": "x"}),
        (CropTopNAccuracy, {"ks": (0,)}),
        (CropTopNAccuracy, {"repeats": 0}),
        (GridAccuracy, {"ns": (5,)}),
        (GridAccuracy, {"ks": ()}),
    ],
)
def test_bad_options_are_refused(kind, options):
    with pytest.raises(ValueError):
        kind(**options)


def test_table_sets_scores_beside_their_floors():
    figures = {"iou@1": 0.8, "iou@avg": 0.9, "random_grid_iou@1": 0.5, "full_photo_iou": 0.25}
    lines = [line.split() for line in score_table(figures).splitlines()]
    assert lines == [
        ["score", "random", "grid", "box", "full", "photo"],
        ["iou@1", "0.8000", "0.5000", "0.2500"],
        ["iou@avg", "0.9000", "0.2500"],
    ]
    assert [floor_of(k) for k in ("random_iou@1", "random_grid_iou@1", "iou@1")] == [
        "random_",
        "random_grid_",
        None,
    ]


def test_registry_builds_the_metrics_by_name_for_an_evaluator():
    evaluator = Evaluator([METRICS.build({"type": name}) for name in ("CropIoUDisp", "CropTopNAccuracy")])
    evaluator.process([_sample(0)])
    figures = evaluator.evaluate(1)
    assert {"crop/iou@1", "acc/acc_1/5@0.85"} <= set(figures)


def _worker(rank, world_size, port, count, folder):
    import os

    import torch.distributed as dist

    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world_size)
    )
    dist.init_process_group("gloo", rank=rank, world_size=world_size)
    per_rank = -(-count // world_size)
    # the sampler gives every process equally many photos: the last ones begin again at the first
    mine = [(i * world_size + rank) % count for i in range(per_rank)]
    evaluator = Evaluator([CropIoUDisp(), CropTopNAccuracy(one_to_one=True, repeats=5), GridAccuracy()])
    for index in mine:
        sample = _sample(index)
        evaluator.process([_without_gt(sample) if index == 3 else sample])
    figures = evaluator.evaluate(count)
    if rank == 1:
        torch.save(figures, folder / "figures.pt")
    dist.destroy_process_group()


def test_two_processes_find_what_one_finds(tmp_path):
    count = 7
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.start_processes(_worker, (2, port, count, tmp_path), nprocs=2, start_method="spawn")
    one = Evaluator([CropIoUDisp(), CropTopNAccuracy(one_to_one=True, repeats=5), GridAccuracy()])
    one.process([_without_gt(_sample(i)) if i == 3 else _sample(i) for i in range(count)])
    assert torch.load(tmp_path / "figures.pt", weights_only=True) == one.evaluate(count)

"""The protocols over many photos give what the formulas of one photo give."""

import zlib

import numpy as np
import pytest
from scored_photos import records

from procrop.evaluation import functional as f
from procrop.evaluation.protocols import BestCropRecall, GridRanking, IoUDisp, IoUMaxMean, TopNAccuracy
from procrop.structures.boxes import box_iou
from procrop.structures.grid_anchors import gaic_grid_anchors

RECORDS = records()


def assert_rows(protocol, formula):
    """Every figure of every photo equals what ``formula(record)`` gives: {key: value}, None where undefined."""
    table = protocol.measure(RECORDS)
    assert len(set(table.keys)) == len(table.keys)
    seen = set()
    for record, row in zip(RECORDS, table.values, strict=True):
        got = dict(zip(table.keys, row.tolist(), strict=True))
        if len(record.gt) == 0:
            assert np.isnan(row).all()
            continue
        for key, value in formula(record).items():
            seen.add(key)
            expected = np.nan if value is None else value
            np.testing.assert_allclose(got[key], expected, atol=1e-12, err_msg=f"{record.img_id} {key}")
    return table, seen


def at(prefix, name, ns, values):
    return {f"{prefix}{name}@{n}": v for n, v in zip(ns, values, strict=True)} | {
        f"{prefix}{name}@avg": np.mean(values)
    }


@pytest.mark.parametrize("mode", ["same_annotation", "independent"])
@pytest.mark.parametrize("ground_truth", ["all", "positives", "best"])
def test_iou_and_disp(ground_truth, mode):
    ns = (1, 2, 3, 9)
    names = ("iou", "disp") if mode == "same_annotation" else ("iou_independent", "disp_independent")

    def formula(record):
        rows = {"all": slice(None), "positives": record.positives, "best": f.top_crops(record.mos, 1)}[
            ground_truth
        ]
        gt = record.gt[rows]
        if len(gt) == 0:
            return {f"{name}@{n}": None for name in names for n in ns}
        pool, prefix = record.gt, "random_"
        if ground_truth == "all":
            pool, prefix = gaic_grid_anchors(*record.size, rule="all"), "random_grid_"
        expected = {}
        floor = f.random_iou_disp(*f.iou_disp_per_prediction(pool, gt, record.size, mode), ns, mode)
        for start, pair in (("", f.iou_disp(record.pred, gt, record.size, ns, mode)), (prefix, floor)):
            for name, values in zip(names, pair, strict=True):
                expected |= at(start, name, ns, values)
        for start, box in (
            ("full_photo_", f.full_photo(record.size)),
            ("centre_crop_", f.centre_crop(record.size)),
        ):
            pair = f.iou_disp_per_prediction(box, gt, record.size, mode)
            expected |= {f"{start}{name}": v[0] for name, v in zip(names, pair, strict=True)}
        return expected

    table, seen = assert_rows(IoUDisp(ns, ground_truth, mode), formula)
    assert seen == set(table.keys)


def test_iou_and_disp_of_other_evaluations():
    def with_boxes(change, size=lambda record: record.size):
        def formula(record):
            values = f.iou_disp(change(record.pred, record), record.gt, size(record), (1, 2))
            return {key: v[i] for key, v in zip(keys, values, strict=True) for i in (0,)}

        return formula

    keys = ("iou_clipped@1", "disp_clipped@1")
    clip = with_boxes(lambda boxes, record: np.clip(boxes, 0, [*record.size, *record.size]))
    assert_rows(IoUDisp((1, 2), predictions="clipped"), clip)
    keys = ("iou_int@1", "disp_int@1")
    for record in RECORDS[:3]:
        record.pred = record.pred + 0.7
    assert_rows(IoUDisp((1, 2), predictions="truncated"), with_boxes(lambda boxes, record: np.trunc(boxes)))
    keys = ("iou@1", "disp_swapped@1")
    swapped = with_boxes(lambda boxes, record: boxes, lambda record: record.size[::-1])
    assert_rows(IoUDisp((1, 2), swapped=True), swapped)


@pytest.mark.parametrize("ties", ["file_order", "include"])
@pytest.mark.parametrize("one_to_one", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_topn_accuracy(ties, one_to_one, strict):
    ns, ks, epss = (1, 5, 10), (1, 2, 4, 11), (0.7, 0.85)
    end = ("_ties" if ties == "include" else "") + ("_1to1" if one_to_one else "")

    def formula(record):
        iou, among = box_iou(record.pred, record.gt), box_iou(record.gt, record.gt)
        expected = {}
        for n in ns:
            for eps in epss:
                key = f"{n}@{'>' if strict else ''}{eps:g}{end}"
                values = {"": f.topn_accuracy(iou, record.mos, n, ks, eps, ties, one_to_one, strict)}
                if not strict:
                    seed = (0, zlib.crc32(record.img_id.encode()))
                    values["random_"] = f.random_topn_accuracy(
                        among, record.mos, n, ks, eps, ties, one_to_one, 5, seed
                    )
                for name, box in (("full_photo_", f.full_photo), ("centre_crop_", f.centre_crop)):
                    one = box_iou(box(record.size), record.gt)
                    (value,) = f.topn_accuracy(one, record.mos, n, (1,), eps, ties, one_to_one, strict)
                    if 1 in ks:  # one crop has no second place
                        expected[f"{name}acc_1/{key}"] = value
                for start, row in values.items():
                    expected |= {f"{start}acc_{k}/{key}": v for k, v in zip(ks, row, strict=True)}
                    expected[f"{start}mean_acc_{key}"] = np.mean(row)
        return expected

    protocol = TopNAccuracy(epss, ns, ks, ties, one_to_one, strict, repeats=5)
    table, seen = assert_rows(protocol, formula)
    assert strict or seen == set(table.keys)


@pytest.mark.parametrize("ties", ["file_order", "include"])
def test_best_crop_recall(ties):
    ns, epss = (1, 5, 10, 60), (0.7, 0.85)
    end = "_ties" if ties == "include" else ""

    def formula(record):
        iou, among = box_iou(record.pred, record.gt), box_iou(record.gt, record.gt)
        expected = {}
        for n in ns:
            for start, values in (
                ("", [f.best_crop_recall(iou, record.mos, n, eps, ties) for eps in epss]),
                ("random_", [f.random_best_crop_recall(among, record.mos, n, eps, ties) for eps in epss]),
            ):
                ends = (*(f"{eps:g}" for eps in epss), "avg")
                for name, value in zip(ends, (*values, np.mean(values)), strict=True):
                    expected[f"{start}best_crop_recall_{n}@{name}{end}"] = value
        return expected

    table, seen = assert_rows(BestCropRecall(epss, ns, ties), formula)
    assert {key for key in table.keys if not key.startswith(("full", "centre"))} == seen


@pytest.mark.parametrize("ties", ["include", "file_order"])
def test_grid_ranking(ties):
    ns, ks, betas = (5, 10), (1, 2, 4, 11), (0.2, 0.1)
    end = "_ties" if ties == "include" else ""

    def formula(record):
        scores, mos = record.candidate_scores, record.mos
        expected = {"srcc": f.srcc(scores, mos), "pcc": f.pcc(scores, mos)}
        expected["random_srcc"] = expected["random_pcc"] = None if expected["srcc"] is None else 0.0
        for n, beta in zip(ns, betas, strict=True):
            for start, accuracy, weighted in (
                (
                    "",
                    f.grid_accuracy(scores, mos, n, ks, ties),
                    f.weighted_grid_accuracy(scores, mos, n, ks, beta),
                ),
                (
                    "random_",
                    f.random_grid_accuracy(mos, n, ks, ties),
                    f.random_weighted_grid_accuracy(len(mos), n, ks, beta),
                ),
            ):
                expected |= {f"{start}acc_{k}/{n}{end}": v for k, v in zip(ks, accuracy, strict=True)}
                expected |= {f"{start}wacc_{k}/{n}": v for k, v in zip(ks, weighted, strict=True)}
                expected[f"{start}mean_acc_{n}{end}"] = np.mean(accuracy)
        return expected

    table, seen = assert_rows(GridRanking(ns, ks, betas, ties), formula)
    assert seen == set(table.keys)


def test_iou_max_and_mean():
    ns = (1, 5, 10)

    def formula(record):
        iou = [max(row) for row in box_iou(record.pred, record.gt)]
        grid = box_iou(gaic_grid_anchors(*record.size, rule="all"), record.gt).max(axis=1)
        largest = f.random_iou_disp(grid, 1 - grid, ns)[0]
        expected = {f"iou_max@{n}": max(iou[:n], default=0.0) for n in ns}
        expected |= {f"iou_mean@{n}": sum(iou[:n]) / n for n in ns}
        expected |= {f"random_grid_iou_max@{n}": v for n, v in zip(ns, largest, strict=True)}
        expected |= {f"random_grid_iou_mean@{n}": grid.mean() for n in ns}
        full = box_iou(f.full_photo(record.size), record.gt).max()
        return expected | {"full_photo_iou_max": full, "full_photo_iou_mean": full}

    assert_rows(IoUMaxMean(ns), formula)


def test_company_changes_nothing():
    """A photo's figures do not depend on the photos it is measured with."""
    few = RECORDS[10:17]
    for protocol in (
        IoUDisp(),
        TopNAccuracy(one_to_one=True, repeats=3),
        BestCropRecall(),
        GridRanking(),
        IoUMaxMean(),
    ):
        together = protocol.measure(RECORDS)
        apart = [protocol.measure([record]) for record in few]
        for row, alone in zip(together.values[10:17], apart, strict=True):
            assert alone.keys == together.keys
            np.testing.assert_allclose(alone.values[0], row, atol=1e-12)

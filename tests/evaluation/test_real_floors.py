"""Baselines and floors on real annotations, each computed once more by plain loops that share no code with ours."""

import math
import random

import numpy as np
import pytest
from PIL import Image

from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.evaluation.baselines import baseline_predictions
from procrop.evaluation.comparison import compare
from procrop.evaluation.evaluation_photos import open_photos
from procrop.evaluation.measured import measure
from procrop.evaluation.named_protocols import make_protocols
from procrop.evaluation.photo_record import make_photo_record

pytestmark = pytest.mark.realdata


def _iou(p, g):
    width, height = min(p[2], g[2]) - max(p[0], g[0]), min(p[3], g[3]) - max(p[1], g[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((p[2] - p[0]) * (p[3] - p[1]) + (g[2] - g[0]) * (g[3] - g[1]) - width * height)


def _disp(p, g, width, height):
    return (
        (abs(p[0] - g[0]) + abs(p[2] - g[2])) / width + (abs(p[1] - g[1]) + abs(p[3] - g[3])) / height
    ) / 4


def _flms_by_hand(folder, share):
    """IoU and Disp of a centred crop of this share of both sides."""
    from scipy.io import loadmat

    rows = []
    for name, boxes in loadmat(folder / "500_image_dataset.mat")["img_gt"].ravel():
        with Image.open(folder / "image" / name.item()) as photo:
            width, height = photo.size
        margin = (1 - share) / 2
        crop = [margin * width, margin * height, (1 - margin) * width, (1 - margin) * height]
        gts = [(x1, y1, x2, y2) for y1, x1, y2, x2 in boxes.tolist() if y1 >= 0]
        ious, disps = [_iou(crop, g) for g in gts], [_disp(crop, g, width, height) for g in gts]
        by_iou, by_disp = ious.index(max(ious)), disps.index(min(disps))
        chosen = by_disp if ious[by_iou] == ious[by_disp] else by_iou
        rows.append((ious[chosen], disps[chosen]))
    assert len(rows) == 50
    return [sum(column) / 50 for column in zip(*rows, strict=True)]


def test_full_photo_and_centre_on_flms(procrop_data):
    crops = get_format("flms").read(procrop_data / "flms50")
    photos = open_photos(crops, "flms")
    photos.check_sizes()
    models = {
        name: photos.with_predictions(baseline_predictions(name, photos.sizes), Problems())
        for name in ("full_photo", "centre")
    }
    found = compare(make_protocols(["crop"]), models)
    floors = found.models["full_photo"].named
    for name, floor, share in (("full_photo", "full_photo", 1.0), ("centre", "centre_crop", 0.8)):
        iou, disp = _flms_by_hand(procrop_data / "flms50", share)
        figures = found.models[name].named
        assert figures["crop/iou@1"] == pytest.approx(iou, abs=1e-12)
        assert figures["crop/disp@1"] == pytest.approx(disp, abs=1e-12)
        assert floors[f"crop/{floor}_iou"] == pytest.approx(iou, abs=1e-12)
        assert floors[f"crop/{floor}_disp"] == pytest.approx(disp, abs=1e-12)


@pytest.fixture(scope="module")
def gaicd(procrop_data):
    """Boxes and MOS of all annotation files of GAICD v1, as lists."""
    photos = []
    for path in sorted((procrop_data / "gaicd_v1" / "annotations").glob("*.txt")):
        rows = [[float(v) for v in line.split()] for line in path.read_text().split("\n") if line.strip()]
        rows = [(x1, y1, x2, y2, mos) for y1, x1, y2, x2, mos in rows if mos != -2]
        photos.append(([row[:4] for row in rows], [row[4] for row in rows]))
    assert len(photos) == 1236 and sum(len(boxes) for boxes, _ in photos) == 106_853
    return photos


@pytest.fixture(scope="module")
def floors(gaicd):
    """Floors of ours; the corners of the grid tell the photos' sizes nearly enough, and only Disp needs them."""
    records = []
    for number, (boxes, mos) in enumerate(gaicd):
        size = np.max(boxes, axis=0)[2:] * 12 / 11.5
        records.append(make_photo_record(str(number), size, boxes, mos, candidate_scores=np.zeros(len(mos))))
    return measure(make_protocols(["acc", "crop_best", "grid"]), records).named


def _by_mos(mos):
    return sorted(range(len(mos)), key=lambda i: -mos[i])  # stable: the first line among equals


def test_random_ranking_by_enumeration_on_gaicd(gaicd, floors):
    """Every crop is as likely as any other to come first; of n drawn ones at least one is among h good ones."""
    sums = dict.fromkeys(("acc5", "acc10", "recall5", "recall10", "grid5", "grid10", "iou"), 0.0)
    for boxes, mos in gaicd:
        order, m = _by_mos(mos), len(mos)
        to_best = [[_iou(boxes[i], boxes[g]) for g in order[:10]] for i in range(m)]
        close = sum(row[0] >= 0.85 for row in to_best)
        for n in (5, 10):
            sums[f"acc{n}"] += sum(max(row[:n]) >= 0.85 for row in to_best) / m
            sums[f"recall{n}"] += 1 - math.comb(m - close, n) / math.comb(m, n)
            sums[f"grid{n}"] += sum(score >= mos[order[n - 1]] for score in mos) / m
        sums["iou"] += sum(row[0] for row in to_best) / m
    means = {key: value / len(gaicd) for key, value in sums.items()}
    for n in (5, 10):
        assert floors[f"acc/random_acc_1/{n}@0.85"] == pytest.approx(means[f"acc{n}"], abs=1e-12)
        assert floors[f"acc/random_mean_acc_{n}@0.85"] == pytest.approx(means[f"acc{n}"], abs=1e-12)
        assert floors[f"acc/random_best_crop_recall_{n}@0.85"] == pytest.approx(
            means[f"recall{n}"], abs=1e-12
        )
        assert floors[f"grid/random_acc_1/{n}_ties"] == pytest.approx(means[f"grid{n}"], abs=1e-12)
    assert floors["crop_best/random_iou@1"] == pytest.approx(means["iou"], abs=1e-12)
    # a figure means nothing without the name of its protocol: on the same photos chance gets 0.08, 0.23 and 0.29
    assert [round(means[key], 2) for key in ("grid5", "acc5", "recall5")] == [0.08, 0.23, 0.29]


def test_random_ranking_by_drawing_on_gaicd(gaicd, floors):
    """What has no short formula, by rankings drawn at random: the best of N, and the rank-weighted accuracy."""
    draw = random.Random(0)
    rows = []
    for boxes, mos in gaicd:
        order = _by_mos(mos)
        rank = {crop: place for place, crop in enumerate(order)}
        best = boxes[order[0]]
        for _ in range(20):
            drawn = draw.sample(range(len(mos)), 3)
            ious = [_iou(boxes[i], best) for i in drawn]
            ranks = sorted(rank[i] for i in drawn)
            weighted = sum(math.exp(-0.1 * (r - j)) for j, r in enumerate(ranks) if r < 10) / 3
            rows.append((max(ious[:2]), max(ious), weighted))
    means, errors = np.mean(rows, axis=0), np.std(rows, axis=0) / math.sqrt(len(rows))
    keys = ("crop_best/random_iou@2", "crop_best/random_iou@3", "grid/random_wacc_3/10")
    for key, mean, error in zip(keys, means, errors, strict=True):
        assert abs(floors[key] - mean) < 4 * error, key
        assert error < 2e-3

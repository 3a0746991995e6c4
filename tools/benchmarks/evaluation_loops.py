"""The protocols as plain loops over photos, predictions and crops: what tools/benchmarks/evaluation.py compares with.

Written from the definitions, in Python numbers only, and without a line of procrop: one table of IoU and one of Disp
per photo, which every protocol then reads.
"""

import math
from collections.abc import Sequence

Photo = tuple[Sequence[float], list[list[float]], list[float], list[list[float]], list[float], list[float]]


def iou(p: Sequence[float], g: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    width = min(p[2], g[2]) - max(p[0], g[0])
    height = min(p[3], g[3]) - max(p[1], g[1])
    if width <= 0 or height <= 0:
        return 0.0
    inter = width * height
    return inter / ((p[2] - p[0]) * (p[3] - p[1]) + (g[2] - g[0]) * (g[3] - g[1]) - inter)


def disp(p: Sequence[float], g: Sequence[float], size: Sequence[float]) -> float:
    """Boundary displacement of two boxes."""
    horizontal = (abs(p[0] - g[0]) + abs(p[2] - g[2])) / size[0]
    vertical = (abs(p[1] - g[1]) + abs(p[3] - g[3])) / size[1]
    return (horizontal + vertical) / 4


def evaluate(photos: Sequence[Photo]) -> dict[str, float]:
    """All figures, averaged over photos of (size, crops, MOS, predictions, their scores, scores of the crops)."""
    sums: dict[str, list[float]] = {}
    pools: dict[float, list[tuple[float, int, bool]]] = {0.85: [], 0.9: []}
    positives = 0
    for size, crops, mos, preds, scores, candidate_scores in photos:
        order = sorted(range(len(preds)), key=lambda i: -scores[i])
        preds, scores = [preds[i] for i in order], [scores[i] for i in order]
        ious = [[iou(p, g) for g in crops] for p in preds]
        disps = [[disp(p, g, size) for g in crops] for p in preds]
        best = sorted(range(len(mos)), key=lambda i: -mos[i])
        found = overlap(ious, disps, range(len(crops)), "crop") | overlap(ious, disps, best[:1], "crop_best")
        found |= largest_and_mean(ious) | accuracy(ious, best, mos) | ranking(candidate_scores, mos, best)
        good = [i for i, score in enumerate(mos) if score >= 4.0]
        good = good or [i for i, score in enumerate(mos) if score == max(mos)]
        positives += len(good)
        for eps, pool in pools.items():
            pool += matched(ious, scores, good, eps)
        for key, value in found.items():
            sums.setdefault(key, []).append(value)
    figures = {key: sum(values) / len(values) for key, values in sums.items()}
    for eps, pool in pools.items():
        figures |= {f"ap/ap_{n}@{eps:g}": precision(pool, n, positives) for n in (5, 10, 20, 40, 60, 90)}
    return figures


def overlap(
    ious: list[list[float]], disps: list[list[float]], targets: Sequence[int], name: str
) -> dict[str, float]:
    """IoU@N and Disp@N by the rule of one annotation, and each by itself."""
    pairs, alone = [], []
    for ious_of_one, disps_of_one in zip(ious[:3], disps[:3], strict=True):
        by_iou = max(targets, key=lambda g: ious_of_one[g])
        by_disp = min(targets, key=lambda g: disps_of_one[g])
        one = by_disp if ious_of_one[by_iou] == ious_of_one[by_disp] else by_iou
        pairs.append((ious_of_one[one], -disps_of_one[one]))
        alone.append((ious_of_one[by_iou], disps_of_one[by_disp]))
    found = {}
    for n in (1, 2, 3):
        value, shift = max(pairs[:n])
        found |= {f"{name}/iou@{n}": value, f"{name}/disp@{n}": -shift}
        if name == "crop":
            found[f"{name}/iou_independent@{n}"] = max(value for value, _ in alone[:n])
            found[f"{name}/disp_independent@{n}"] = min(shift for _, shift in alone[:n])
    return found


def largest_and_mean(ious: list[list[float]]) -> dict[str, float]:
    """IoU_max@N and IoU_mean@N."""
    nearest = [max(row) for row in ious[:10]]
    found = {f"crop/iou_max@{n}": max(nearest[:n]) for n in (1, 5, 10)}
    return found | {f"crop/iou_mean@{n}": sum(nearest[:n]) / n for n in (1, 5, 10)}


def accuracy(ious: list[list[float]], best: list[int], mos: list[float]) -> dict[str, float]:
    """ACC_{K/N} with both tie policies, and the recall of the best crop at eleven thresholds."""
    found = {}
    for n in (5, 10):
        tied = [i for i in best if mos[i] >= mos[best[n - 1]]]
        for end, targets in (("", best[:n]), ("_ties", tied)):
            for k in (1, 2, 3, 4):
                hits = 0
                for row in ious[:k]:
                    if any(row[g] >= 0.85 for g in targets):
                        hits += 1
                found[f"acc/acc_{k}/{n}@0.85{end}"] = hits / k
        for step in range(11):
            eps = round(0.85 + 0.01 * step, 2)
            recall = float(any(row[best[0]] >= eps for row in ious[:n]))
            found[f"acc/best_crop_recall_{n}@{eps:g}"] = recall
    return found


def ranking(scores: list[float], mos: list[float], best: list[int]) -> dict[str, float]:
    """Exact-grid ACC, weighted ACC, SRCC and PCC."""
    by_score = sorted(range(len(scores)), key=lambda i: -scores[i])
    rank = {crop: place for place, crop in enumerate(best)}
    found = {
        "grid/srcc": pearson(average_ranks(scores), average_ranks(mos)),
        "grid/pcc": pearson(scores, mos),
    }
    for n, beta in ((5, 0.2), (10, 0.1)):
        for k in (1, 2, 3, 4):
            found[f"grid/acc_{k}/{n}_ties"] = sum(mos[i] >= mos[best[n - 1]] for i in by_score[:k]) / k
            ranks = sorted(rank[i] for i in by_score[:k])
            weights = [math.exp(-beta * (r - j)) for j, r in enumerate(ranks) if r < n]
            found[f"grid/wacc_{k}/{n}"] = sum(weights) / k
    return found


def average_ranks(values: list[float]) -> list[float]:
    """Ranks, equal values sharing the mean of theirs."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    ranks, start = [0.0] * len(values), 0
    while start < len(order):
        stop = start
        while stop < len(order) and values[order[stop]] == values[order[start]]:
            stop += 1
        for i in order[start:stop]:
            ranks[i] = (start + stop - 1) / 2 + 1
        start = stop
    return ranks


def pearson(a: list[float], b: list[float]) -> float:
    """Correlation of two lists."""
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    product = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    return product / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


def matched(
    ious: list[list[float]], scores: list[float], targets: list[int], eps: float
) -> list[tuple[float, int, bool]]:
    """(score, rank, found a crop?) of each prediction; a prediction takes the last crop that is left."""
    taken: set[int] = set()
    found = []
    for place, row in enumerate(ious):
        match = None
        for g in targets:
            if g not in taken and row[g] >= eps:
                match = g
        if match is not None:
            taken.add(match)
        found.append((scores[place], place, match is not None))
    return found


def precision(pool: list[tuple[float, int, bool]], max_dets: int, total: int) -> float:
    """Average precision at 101 recalls."""
    shown = sorted((entry for entry in pool if entry[1] < max_dets), key=lambda entry: -entry[0])
    hits, points = 0, []
    for count, (_, _, hit) in enumerate(shown, start=1):
        hits += hit
        points.append((hits / total, hits / count))
    for i in range(len(points) - 2, -1, -1):
        points[i] = (points[i][0], max(points[i][1], points[i + 1][1]))
    value, i = 0.0, 0
    for step in range(101):
        while i < len(points) and points[i][0] < step / 100:
            i += 1
        value += points[i][1] if i < len(points) else 0.0
    return value / 101

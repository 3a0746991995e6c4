"""Curation once more, crop by crop in plain Python, as the independent reference of the tests."""

import math

SHAPES = (1, 5 / 4, 4 / 3, 7 / 5, 3 / 2, 16 / 9)


def snap(box, tolerance=0.03):
    """The box in the nearest shape, or None."""
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    q = max(w, h) / min(w, h)
    shape = min(SHAPES, key=lambda s: abs(s - q))
    if abs(shape - q) > tolerance:
        return None
    ratio = shape if w >= h else 1 / shape  # width / height
    if w / h > ratio:
        w = h * ratio
    else:
        h = w / ratio
    cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
    return (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)


def area(box):
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def common(a, b):
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a, b):
    return common(a, b) / (area(a) + area(b) - common(a, b))


def thirds(p):
    return max(0, 1 - 6 * min(abs(p - 1 / 3), abs(p - 2 / 3)))


def place(box, point):
    return (point[0] - box[0]) / (box[2] - box[0]), (point[1] - box[1]) / (box[3] - box[1])


def balance(box, saliency, size):
    rows, columns = len(saliency), len(saliency[0])
    total = sx = sy = 0
    for r in range(rows):
        for c in range(columns):
            cell = (
                c * size[0] / columns, r * size[1] / rows, (c + 1) * size[0] / columns, (r + 1) * size[1] / rows
            )  # fmt: skip
            part = (
                max(cell[0], box[0]), max(cell[1], box[1]), min(cell[2], box[2]), min(cell[3], box[3])
            )  # fmt: skip
            if part[2] <= part[0] or part[3] <= part[1]:
                continue
            mass = saliency[r][c] * area(part) / area(cell)
            x, y = place(box, ((part[0] + part[2]) / 2, (part[1] + part[3]) / 2))
            total, sx, sy = total + mass, sx + mass * x, sy + mass * y
    if total == 0:
        return 1
    return max(0, 1 - 2 * max(abs(sx / total - 0.5), abs(sy / total - 0.5)))


def curate(boxes, predicted, facts, k=8, min_score=0.2, share=0.5, margin=0.5, max_iou=0.85):
    """(box, label score, predicted) of each label, best first."""
    found = []
    for index, (box, p) in enumerate(zip(boxes, predicted, strict=True)):
        box = snap(box) if p >= min_score else None
        if box is None:
            continue
        subject = facts.subject
        scores = [common(box, facts.known) / area(facts.known)]
        if scores[0] < 0.8:
            continue
        if subject is not None:
            scores.append(common(box, subject) / area(subject))
            if scores[-1] < 0.95:
                continue
            point = ((subject[0] + subject[2]) / 2, (subject[1] + subject[3]) / 2)
            scores.append(sum(map(thirds, place(box, point))) / 2)
        if facts.saliency is not None:
            scores.append(balance(box, facts.saliency.tolist(), facts.size))
        if facts.horizon is not None:
            y = place(box, (0, facts.horizon))[1]
            scores.append(thirds(y) if 0 < y < 1 else 1)
        merit = share * p + (1 - share) * math.fsum(scores) / len(scores)
        found.append((-merit, index, box, p))
    taken = []
    for merit, _, box, p in sorted(found, key=lambda row: row[:2]):
        others = [tuple(facts.known), *(t[0] for t in taken)]
        if len(taken) < k and all(iou(box, other) <= max_iou for other in others):
            top = facts.known_score - margin
            taken.append((box, 1 + (top - 1) * -merit, p))
    return taken

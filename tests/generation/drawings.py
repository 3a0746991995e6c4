"""Drawn pictures of the nine composition classes, varied by a seed."""

import cv2
import numpy as np


def draw(name, seed, size=(320, 480)):
    """A picture (H, W, 3) uint8 RGB of the composition ``name``."""
    rng = np.random.default_rng([seed, len(name)])
    height, width = size
    ground = rng.integers(150, 230, 3)
    ink = tuple(int(v) for v in rng.integers(10, 80, 3))
    image = np.empty((height, width, 3), np.uint8)
    image[:] = ground
    _PAINTERS[name](image, ink, rng, width, height)
    noise = rng.normal(0, 2.0, image.shape)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)


def _points(points):
    return np.rint(np.array(points)).astype(np.int32)


def _horizontal(image, ink, rng, w, h):
    edges = np.sort(rng.choice(np.arange(3, 18), rng.integers(2, 4), replace=False)) / 20
    for i, edge in enumerate(edges):
        image[round(edge * h) :] = np.array(ink) + 25 * i


def _vertical(image, ink, rng, w, h):
    edges = np.sort(rng.choice(np.arange(2, 19), rng.integers(3, 5), replace=False)) / 20
    for edge in edges:
        x = round(edge * w)
        image[:, x : x + round(rng.uniform(0.02, 0.06) * w)] = ink


def _diagonal(image, ink, rng, w, h):
    a, b = rng.uniform(-0.05, 0.2, 2) * h
    ends = [(0, h - a), (w, b)]
    if rng.random() < 0.5:
        ends = [(w - x, y) for x, y in ends]
    cv2.line(image, *(_points(ends).tolist()), ink, round(rng.uniform(0.02, 0.08) * h), cv2.LINE_AA)


def _triangle(image, ink, rng, w, h):
    apex = (w * rng.uniform(0.4, 0.6), h * rng.uniform(0.1, 0.25))
    base = h * rng.uniform(0.85, 0.95)
    left, right = w * rng.uniform(0.08, 0.2), w * rng.uniform(0.8, 0.92)
    cv2.fillPoly(image, [_points([apex, (left, base), (right, base)])], ink, cv2.LINE_AA)


def _curved(image, ink, rng, w, h):
    t = np.linspace(0, 1, 80)
    swing = rng.uniform(0.22, 0.3) * rng.choice([-1, 1])
    path = np.stack([w * (0.5 + swing * np.sin(2 * np.pi * t)), h * (1.02 - 1.04 * t)], axis=1)
    cv2.polylines(
        image, [_points(path)[:, None]], False, ink, round(rng.uniform(0.03, 0.08) * h), cv2.LINE_AA
    )


def _blob(image, ink, rng, w, h, x, y):
    r = rng.uniform(0.07, 0.12) * h
    axes = (round(r * rng.uniform(1, 1.4)), round(r))
    cv2.ellipse(image, (round(x * w), round(y * h)), axes, 0, 0, 360, ink, -1, cv2.LINE_AA)


def _centre(image, ink, rng, w, h):
    _blob(image, ink, rng, w, h, *rng.uniform(0.48, 0.52, 2))


def _thirds(image, ink, rng, w, h):
    x, y = rng.choice([1 / 3, 2 / 3], 2) + rng.uniform(-0.02, 0.02, 2)
    _blob(image, ink, rng, w, h, x, y)


def _symmetric(image, ink, rng, w, h):
    half = image[:, : w // 2]
    for _ in range(9):
        x, y = rng.uniform(0, 0.42) * w, rng.uniform(0.05, 0.95) * h
        axes = (round(rng.uniform(0.02, 0.06) * w), round(rng.uniform(0.04, 0.14) * h))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        patch = np.ascontiguousarray(half)
        cv2.ellipse(patch, (round(x), round(y)), axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
        half[:] = patch
    image[:, -(w // 2) :] = half[:, ::-1]


def _pattern(image, ink, rng, w, h):
    step, r = rng.integers(24, 40), rng.uniform(0.25, 0.4)
    for y in range(int(step) // 2, h + step, step):
        for x in range(int(step) // 2, w + step, step):
            cv2.circle(image, (x, y), round(r * step), ink, -1, cv2.LINE_AA)


_PAINTERS = {
    "rule_of_thirds": _thirds,
    "vertical": _vertical,
    "horizontal": _horizontal,
    "diagonal": _diagonal,
    "curved": _curved,
    "triangle": _triangle,
    "centre": _centre,
    "symmetric": _symmetric,
    "pattern": _pattern,
}

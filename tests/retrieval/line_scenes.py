"""Drawn scenes of known line compositions in random colours, textures and noise."""

import cv2
import numpy as np

# end points of lines in the frame, [0, 1]; "edge" parts two regions, "strokes" are bars over one background
COMPOSITIONS = {
    "diagonal rising": ("edge", [(0, 1, 1, 0)]),
    "diagonal falling": ("edge", [(0, 0, 1, 1)]),
    "horizon at 1/3": ("edge", [(0, 1 / 3, 1, 1 / 3)]),
    "horizon at 1/2": ("edge", [(0, 1 / 2, 1, 1 / 2)]),
    "horizon at 2/3": ("edge", [(0, 2 / 3, 1, 2 / 3)]),
    "verticals": ("strokes", [(0.3, 0.05, 0.3, 0.95), (0.7, 0.05, 0.7, 0.95)]),
    "triangle": ("strokes", [(0.15, 0.85, 0.5, 0.15), (0.5, 0.15, 0.85, 0.85), (0.85, 0.85, 0.15, 0.85)]),
    "cross": ("strokes", [(0.05, 0.05, 0.95, 0.95), (0.05, 0.95, 0.95, 0.05)]),
}
_SIZES = ((480, 320), (400, 300), (320, 320), (320, 400), (512, 288))


def draw_scene(name: str, seed: int, jitter: float = 0.03) -> np.ndarray:
    """Draw one scene: (H, W, 3) uint8; colours, format, texture, clutter and noise depend on ``seed`` alone."""
    rng = np.random.default_rng([seed, list(COMPOSITIONS).index(name)])
    kind, lines = COMPOSITIONS[name]
    width, height = _SIZES[rng.integers(len(_SIZES))]
    lines = np.array(lines) + rng.uniform(-jitter, jitter, (len(lines), 4))
    lines = lines * (width, height, width, height)
    first, second = _colours(rng)
    field = np.broadcast_to(first, (height, width, 3)).copy()
    if kind == "edge":
        x1, y1, x2, y2 = lines[0]
        below = np.array([(x1, y1), (x2, y2), (width, 2 * height), (0, 2 * height)])
        cv2.fillPoly(field, [np.rint(below).astype(np.int32)], second)
    else:
        thick = int(rng.integers(3, 12))
        for x1, y1, x2, y2 in np.rint(lines).astype(int).tolist():
            cv2.line(field, (x1, y1), (x2, y2), second, thick, cv2.LINE_AA)
    return _disturb(field, rng)


def _colours(rng: np.random.Generator) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Two colours whose grey values differ by at least 35."""
    while True:
        pair = rng.uniform(20, 236, (2, 3))
        if abs(np.subtract(*(pair @ (0.299, 0.587, 0.114)))) > 35:
            return tuple(pair[0].tolist()), tuple(pair[1].tolist())


def _disturb(field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add shading, coarse texture, small clutter and pixel noise."""
    height, width = field.shape[:2]
    shade = (
        np.linspace(0, rng.uniform(-30, 30), width)[None]
        + np.linspace(0, rng.uniform(-30, 30), height)[:, None]
    )
    texture = rng.normal(0, rng.uniform(2, 14), (height // 4, width // 4)).astype(np.float32)
    field = field + shade[..., None] + cv2.resize(texture, (width, height))[..., None]
    for _ in range(rng.integers(4, 12)):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(3, 18)), int(rng.integers(3, 18)))
        colour = tuple(rng.uniform(0, 255, 3).tolist())
        cv2.ellipse(field, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1)
    field += rng.normal(0, rng.uniform(2, 12), field.shape)
    return np.clip(field, 0, 255).astype(np.uint8)

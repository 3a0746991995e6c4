"""Turn a `Scene` into pixels: sky, skyline, ground, leading lines, distractors, the subject, light and grain.

The layers are painted back to front on one float canvas, (3, height, width) because whole planes are quicker to
work on than pixels; everything random comes from the scene's own seed.
"""

import numpy as np
from PIL import Image, ImageDraw

from procrop.datasets.toy.scene import Box, Colour, Scene
from procrop.datasets.toy.subjects import draw_distractor, draw_subject


def paint(scene: Scene, width: int, height: int) -> np.ndarray:
    """Paint a scene.

    Args:
        scene: what to show.
        width, height: size of the photo in pixels.

    Returns:
        (height, width, 3) uint8 RGB, C-contiguous.
    """
    rng = np.random.default_rng(scene.texture_seed)
    canvas = np.empty((3, height, width), np.float32)
    rows = int(round(scene.horizon * height))
    _paint_sky(canvas[:, :rows], scene, rng)
    _paint_relief(canvas[:, :rows], scene, rng)
    _paint_ground(canvas[:, rows:], scene, rng)
    if scene.vanishing is not None:
        _paint_path(canvas, scene)
    for thing in scene.distractors:
        _paste(canvas, thing.box, draw_distractor, thing)
    subjects = [(scene.look, scene.subject), *([scene.second] if scene.second else [])]
    # the farther one first, whichever of them is the subject
    for look, box in sorted(subjects, key=lambda subject: (subject[1][3], subject[1])):
        if look.subject_kind != "balloon":
            _paint_shadow(canvas, box)
        _paste(canvas, box, draw_subject, look)
    canvas *= 255 * scene.exposure
    canvas += rng.standard_normal((height, width), np.float32) * np.float32(255 * scene.look.grain) + 0.5
    np.clip(canvas, 0, 255, out=canvas)
    return np.ascontiguousarray(canvas.astype(np.uint8).transpose(1, 2, 0))


def _blend(target: np.ndarray, colour: Colour, alpha: np.ndarray) -> None:
    """Lay `colour` over `target` (3, h, w) in place; `alpha` is (h, w) or (h, 1) in [0, 1]."""
    alpha = alpha.astype(np.float32, copy=False)
    for plane, value in zip(target, colour, strict=True):
        plane += alpha * (np.float32(value) - plane)


def _gradient(target: np.ndarray, upper: Colour, lower: Colour, t: np.ndarray) -> None:
    """Fill `target` (3, h, w) from `upper` where `t` (h, 1) is 0 to `lower` where it is 1."""
    for plane, a, b in zip(target, upper, lower, strict=True):
        plane[:] = a + (b - a) * t


def _noise(rng: np.random.Generator, height: int, width: int, cell_h: float, cell_w: float) -> np.ndarray:
    """Smooth noise (height, width) float32, roughly in [0, 1]; a cell is a fraction of the photo's width."""
    cells = (max(2, round(1 / cell_w) + 1), max(2, round(height / width / cell_h) + 1))
    low = Image.fromarray(rng.random((cells[1], cells[0]), np.float32))
    return np.asarray(low.resize((width, height), Image.Resampling.BICUBIC))


def _paint_sky(sky: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    look, (h, w) = scene.look, sky.shape[1:]
    t = np.linspace(0, 1, h, dtype=np.float32)[:, None] ** 1.5
    _gradient(sky, look.sky, look.sky_low, t)
    if look.sun:
        _paint_sun(sky, scene, rng)
    scale = look.cloud_scale
    if look.sky_kind == "stars":
        ys, xs = rng.integers(0, h, 90), rng.integers(0, w, 90)
        sky[:, ys, xs] += rng.uniform(0.3, 1.0, 90) * (1 - np.array(look.sky))[:, None]
    elif look.sky_kind != "clear":
        flat = 0.16 if look.sky_kind == "bands" else 0.5
        density = 0.65 * _noise(rng, h, w, scale * flat, scale)
        density += 0.35 * _noise(rng, h, w, 0.3 * scale * flat, 0.3 * scale)
        alpha = np.clip((density - 0.75 + 0.5 * look.cloud_cover) * 4, 0, 0.92)
        _blend(sky, look.cloud, alpha)


def _paint_sun(sky: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    h, w = sky.shape[1:]
    x, y = rng.uniform(0.05, 0.95) * w, (0.35 + 0.45 * rng.uniform()) * h
    squared = (np.arange(w, dtype=np.float32) - x) ** 2 + (np.arange(h, dtype=np.float32)[:, None] - y) ** 2
    squared /= (0.03 * w) ** 2
    disc = np.clip((1.1 - squared) * 4, 0, 1)
    warm = (1.0, 0.95, 0.78)
    _blend(sky, warm, np.maximum(disc, 0.7 * scene.look.sun / (1 + 0.12 * squared)))


def _paint_relief(sky: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    """Two skylines, the farther one paler; standing on the horizon."""
    look, (h, w) = scene.look, sky.shape[1:]
    if look.relief_kind == "none":
        return
    for distance in (0.55, 0.0):
        peak = look.relief_height * (1.25 if distance else 0.8) * h / scene.horizon
        top = np.clip(peak * _skyline(rng, look.relief_kind, look.relief_rough, w), 0, h - 1)
        inside = np.clip(np.arange(h, dtype=np.float32)[:, None] - (h - top) + 0.5, 0, 1)
        colour = tuple(c + (s - c) * distance for c, s in zip(look.relief, look.sky_low, strict=True))
        first = max(0, int(h - top.max()) - 1)
        _blend(sky[:, first:], colour, inside[first:])


def _skyline(rng: np.random.Generator, kind: str, rough: float, width: int) -> np.ndarray:
    """Height of a skyline at each column, (width,) in [0, 1.3]."""
    x = np.linspace(0, 1, width, dtype=np.float32)
    if kind == "city":
        edges = np.cumsum(rng.uniform(0.5, 1.6, int(2 / rough) + 2)) * rough
        return rng.uniform(0.2, 1.0, len(edges) + 1)[np.searchsorted(edges, x)].astype(np.float32)
    knots = np.linspace(0, 1, {"peaks": 11, "hills": 6, "forest": 8}[kind])
    line = np.interp(x, knots, rng.uniform(0.15, 1.0, len(knots)))
    if kind == "hills":
        kernel = np.hanning(max(5, width // 5))
        line = np.convolve(np.pad(line, len(kernel) // 2, mode="edge"), kernel / kernel.sum(), "same")
        line = line[len(kernel) // 2 :][:width]
    elif kind == "forest":
        phase = (x / (0.25 * rough + 0.012) + rng.uniform()) % 1.0
        line = 0.5 + 0.25 * line + 0.45 * (1 - np.abs(2 * phase - 1)) * rng.uniform(0.7, 1.0)
    else:
        fine = np.linspace(0, 1, int(1 / rough) + 2)
        line = line + np.interp(x, fine, rng.uniform(-0.15, 0.15, len(fine)))
    return line.astype(np.float32)


def _paint_ground(ground: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    look, (h, w) = scene.look, ground.shape[1:]
    v = np.linspace(0, 1, h, dtype=np.float32)[:, None]
    _gradient(ground, look.ground_far, look.ground_near, v)
    pattern = _ground_pattern(rng, look.ground_kind, look.mark_scale, v, w)
    _blend(ground, look.ground_mark, look.mark_contrast * np.clip(pattern, 0, 1) * (0.35 + 0.65 * v))


def _ground_pattern(
    rng: np.random.Generator, kind: str, scale: float, v: np.ndarray, width: int
) -> np.ndarray:
    """Pattern strength (h, width), about [0, 1]; `v` (h, 1) runs from 0 at the horizon to 1 at the lower edge."""
    h = len(v)
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    depth = 1 / (v + 0.12)
    if kind == "grass":
        return 1.6 * _noise(rng, h, width, 0.035 * scale, 0.008) * _noise(rng, h, width, 0.1, 0.15) + 0.1
    if kind == "dunes":
        return 1.4 * _noise(rng, h, width, 0.045 * scale, 0.3 * scale) - 0.1
    if kind == "water":
        wobble = _noise(rng, h, width, 0.03 * scale, 0.16 * scale)
        return 0.5 + 0.7 * np.sin(14 / scale * depth + 9 * wobble) * wobble
    if kind == "flowers":
        dots = _noise(rng, h, width, 0.014 * scale, 0.014 * scale)
        return np.clip((dots - 0.66) * 8, 0, 1)
    u = (x - rng.uniform(-0.3, 0.3)) * depth
    if kind == "furrows":
        return 0.5 + 0.5 * np.sin(26 / scale * u + rng.uniform(0, 6))
    tiles = np.floor(5 / scale * u) + np.floor(3 / scale * depth + rng.uniform())
    return 0.85 * (tiles % 2) + 0.15 * _noise(rng, h, width, 0.05, 0.05)


def _paint_path(canvas: np.ndarray, scene: Scene) -> None:
    """A road that narrows from the lower edge to the vanishing point, with a dashed middle: leading lines."""
    h, w = canvas.shape[1:]
    x, y = scene.vanishing
    mask, stripe = Image.new("L", (2 * w, 2 * h)), Image.new("L", (2 * w, 2 * h))
    start = 0.5 + 0.6 * (0.5 - x)
    road = [(x - 0.006, y), (x + 0.006, y), (start + 0.2, 1.0), (start - 0.2, 1.0)]
    ImageDraw.Draw(mask).polygon([(2 * w * a, 2 * h * b) for a, b in road], fill=255)
    for t in (0.08, 0.2, 0.38, 0.62):
        points = [(x + (start - x) * s, y + (1 - y) * s) for s in (t, 1.35 * t)]
        ImageDraw.Draw(stripe).line([(2 * w * a, 2 * h * b) for a, b in points], 255, max(1, int(16 * t)))
    tone = tuple(0.45 * c + 0.3 for c in scene.look.ground_near)
    for layer, colour in ((mask, tone), (stripe, (0.95, 0.93, 0.85))):
        alpha = np.asarray(layer.resize((w, h), Image.Resampling.BOX), np.float32) / 255
        first = int(y * h)
        _blend(canvas[:, first:], colour, 0.9 * alpha[first:])


def _paint_shadow(canvas: np.ndarray, box: Box) -> None:
    """Darken a flat ellipse under the subject."""
    h, w = canvas.shape[1:]
    cx, rx, cy, ry = (box[0] + box[2]) / 2 * w, 0.55 * (box[2] - box[0]) * w, box[3] * h, 0.022 * h
    x1, x2 = max(0, int(cx - rx)), min(w, int(cx + rx) + 1)
    y1, y2 = max(0, int(cy - ry)), min(h, int(cy + ry) + 1)
    dx, dy = (np.arange(x1, x2) - cx) / rx, (np.arange(y1, y2) - cy)[:, None] / ry
    canvas[:, y1:y2, x1:x2] *= 1 - 0.55 * np.clip(1.4 * (1 - dx**2 - dy**2), 0, 1)


def _paste(canvas: np.ndarray, box: Box, draw: object, what: object) -> None:
    """Draw `what` into the pixels of `box`, lit from the upper left; parts outside the photo are cut off."""
    h, w = canvas.shape[1:]
    x1, y1, x2, y2 = (round(v * s) for v, s in zip(box, (w, h, w, h), strict=True))
    patch = np.asarray(draw(what, max(2, x2 - x1), max(2, y2 - y1)), np.float32).transpose(2, 0, 1) / 255
    target = canvas[:, max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)]
    left, top = max(0, -x1), max(0, -y1)
    patch = patch[:, top : top + target.shape[1], left : left + target.shape[2]]
    target = target[:, : patch.shape[1], : patch.shape[2]]
    light = np.linspace(1.1, 0.82, patch.shape[2], dtype=np.float32)
    target += patch[3] * (patch[:3] * light - target)

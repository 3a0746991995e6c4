"""What a toy photo shows: the parameters of a scene, and how they are drawn at random.

All coordinates are fractions of the photo (x of its width, y of its height, origin top left), all colours are
RGB in [0, 1]. Nothing here paints: `painter.paint` turns a `Scene` into pixels, `rule` scores its crops.
"""

import colorsys
from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]
Box = tuple[float, float, float, float]

SKIES = ("clear", "cumulus", "bands", "stars")
RELIEFS = ("none", "peaks", "hills", "city", "forest")
GROUNDS = ("grass", "water", "furrows", "paving", "dunes", "flowers")
# Kind of subject -> its width over its height, in pixels.
SUBJECTS: dict[str, float] = {
    "person": 0.42,
    "tree": 0.85,
    "pine": 0.6,
    "house": 1.15,
    "boat": 1.25,
    "animal": 1.3,
    "tower": 0.42,
    "balloon": 0.75,
    "umbrella": 1.0,
    "car": 1.6,
    "mill": 0.9,
    "cactus": 0.75,
    "arch": 1.0,
    "heron": 0.8,
}
DISTRACTORS = ("bin", "pole", "sign", "bush", "stranger")


@dataclass(frozen=True)
class Look:
    """Appearance of a scene: what makes the photos of one family alike. Says nothing about where things are.

    Attributes:
        sky, sky_low, ground_far, ground_near, ground_mark, relief, body, accent, detail, cloud: colours.
        sky_kind, relief_kind, ground_kind, subject_kind: one name of SKIES, RELIEFS, GROUNDS, SUBJECTS.
        horizon: height of the horizon, about 0.3 to 0.65.
        cloud_cover, cloud_scale: share of the sky covered, and size of a cloud.
        relief_height, relief_rough: height of the skyline over the horizon, and its finest detail.
        mark_scale, mark_contrast: size and strength of the pattern on the ground.
        proportions: (3,) values in [0, 1] that shape the subject.
        sun: strength of the sun's glow, 0 for none.
        grain: standard deviation of the sensor noise.
    """

    sky: Colour
    sky_low: Colour
    cloud: Colour
    ground_far: Colour
    ground_near: Colour
    ground_mark: Colour
    relief: Colour
    body: Colour
    accent: Colour
    detail: Colour
    sky_kind: str
    relief_kind: str
    ground_kind: str
    subject_kind: str
    horizon: float
    cloud_cover: float
    cloud_scale: float
    relief_height: float
    relief_rough: float
    mark_scale: float
    mark_contrast: float
    proportions: tuple[float, float, float]
    sun: float
    grain: float


@dataclass(frozen=True)
class Thing:
    """Something that stands in the scene: a distractor of one kind in `box` (xyxy fractions)."""

    kind: str
    box: Box
    colour: Colour


@dataclass(frozen=True)
class Scene:
    """One photo to be: a look, and where everything is.

    Attributes:
        look: the appearance.
        horizon: this photo's horizon (y).
        subject: (x1, y1, x2, y2) of the subject.
        distractors: what a good crop leaves out.
        vanishing: (x, y) where leading lines meet, or none when there are no lines.
        exposure: factor on all pixels, about 1.
        texture_seed: decides clouds, skyline, pattern offsets and noise.
        second: look and box of a second subject, which a good crop leaves out, or none. The two looks differ only in
            what they say of the subject.
    """

    look: Look
    horizon: float
    subject: Box
    distractors: tuple[Thing, ...]
    vanishing: tuple[float, float] | None
    exposure: float
    texture_seed: int
    second: tuple[Look, Box] | None = None


def _hsv(h: float, s: float, v: float) -> Colour:
    return colorsys.hsv_to_rgb(h % 1.0, float(np.clip(s, 0, 1)), float(np.clip(v, 0, 1)))


def _mix(a: Colour, b: Colour, t: float) -> Colour:
    return tuple(float(x + (y - x) * t) for x, y in zip(a, b, strict=True))


def _sky_colours(rng: np.random.Generator) -> tuple[Colour, Colour, Colour]:
    """Top of the sky, its lower rim and its clouds, from day, dusk, night, mist and fancy palettes."""
    mood = rng.choice(5, p=[0.3, 0.25, 0.12, 0.13, 0.2])
    u = rng.uniform(size=6)
    if mood == 0:
        top, low = (
            _hsv(0.53 + 0.12 * u[0], 0.45 + 0.5 * u[1], 0.6 + 0.35 * u[2]),
            _hsv(0.55, 0.25 * u[3], 0.95),
        )
    elif mood == 1:
        top, low = _hsv(0.6 + 0.35 * u[0], 0.3 + 0.5 * u[1], 0.35 + 0.4 * u[2]), _hsv(0.13 * u[3], 0.7, 0.98)
    elif mood == 2:
        top, low = _hsv(0.55 + 0.25 * u[0], 0.7, 0.08 + 0.15 * u[2]), _hsv(0.5 + 0.3 * u[3], 0.6, 0.4)
    elif mood == 3:
        top, low = _hsv(u[0], 0.12 * u[1], 0.6 + 0.3 * u[2]), _hsv(u[0], 0.1, 0.85)
    else:
        top, low = _hsv(u[0], 0.4 + 0.5 * u[1], 0.5 + 0.4 * u[2]), _hsv(u[0] + 0.3 * u[3], 0.4, 0.95)
    cloud = _mix((1.0, 1.0, 1.0), low, 0.5 * u[4]) if u[5] < 0.7 else _mix(top, (0.15, 0.15, 0.2), 0.6)
    return top, low, cloud


def _ground_colours(rng: np.random.Generator, kind: str) -> tuple[Colour, Colour, Colour]:
    """Far ground, near ground and the colour of its pattern."""
    u = rng.uniform(size=7)
    if kind == "water":
        hue, sat = 0.48 + 0.18 * u[0], 0.3 + 0.5 * u[1]
    elif u[6] < 0.35:
        hue, sat = 0.2 + 0.18 * u[0], 0.3 + 0.5 * u[1]
    elif u[6] < 0.65:
        hue, sat = 0.04 + 0.1 * u[0], 0.25 + 0.5 * u[1]
    else:
        hue, sat = u[0], 0.15 + 0.6 * u[1]
    value = 0.35 + 0.5 * u[2]
    far, near = _hsv(hue, 0.75 * sat, value + 0.12), _hsv(hue + 0.05 * (u[3] - 0.5), sat, value - 0.12)
    mark = _hsv(u[4] if kind in ("flowers", "paving") else hue + 0.1 * (u[4] - 0.5), 0.2 + 0.7 * u[5], 0.95)
    return (
        far,
        near,
        mark if kind in ("flowers", "paving", "water") or u[4] < 0.5 else _mix(near, (0, 0, 0), 0.6),
    )


def subject_colours(u: np.ndarray, ground: Colour) -> tuple[Colour, Colour, Colour]:
    """Body, accent and detail of a subject that stands out: bright on dark ground, else dark or saturated.

    Args:
        u: (9,) draws in [0, 1].
        ground: colour of the near ground.
    """
    body_value = 0.25 + 0.3 * u[0] if float(np.mean(ground)) > 0.55 else 0.7 + 0.3 * u[0]
    body = _hsv(u[1], 0.45 + 0.55 * u[2], body_value)
    accent = _hsv(u[3], 0.3 + 0.7 * u[4], 0.35 + 0.6 * u[5])
    return body, accent, _hsv(u[6], 0.5 * u[7], 0.1 + 0.2 * u[8] if body_value > 0.6 else 0.9)


def sample_look(rng: np.random.Generator) -> Look:
    """Draw an appearance: continuous parameters throughout, so that no two draws are alike."""
    sky, sky_low, cloud = _sky_colours(rng)
    ground_kind = str(rng.choice(GROUNDS))
    far, near, mark = _ground_colours(rng, ground_kind)
    u = rng.uniform(size=24)
    body, accent, detail = subject_colours(u[[0, *range(5, 13)]], near)
    return Look(
        sky=sky,
        sky_low=sky_low,
        cloud=cloud,
        ground_far=far,
        ground_near=near,
        ground_mark=mark,
        relief=_mix(_hsv(u[1], 0.2 + 0.5 * u[2], 0.2 + 0.4 * u[3]), sky_low, 0.35 * u[4]),
        body=body,
        accent=accent,
        detail=detail,
        sky_kind=str(rng.choice(SKIES, p=[0.25, 0.35, 0.25, 0.15])),
        relief_kind=str(rng.choice(RELIEFS)),
        ground_kind=ground_kind,
        subject_kind=str(rng.choice(list(SUBJECTS))),
        horizon=0.34 + 0.28 * u[13],
        cloud_cover=0.2 + 0.55 * u[14],
        cloud_scale=0.12 + 0.35 * u[15],
        relief_height=0.06 + 0.16 * u[16],
        relief_rough=0.02 + 0.1 * u[17],
        mark_scale=0.5 + 1.2 * u[18],
        mark_contrast=0.35 + 0.5 * u[19],
        proportions=(float(u[20]), float(u[21]), float(u[22])),
        sun=float(u[23]) if u[23] > 0.45 and rng.uniform() < 0.8 else 0.0,
        grain=float(rng.uniform(0.01, 0.035)),
    )


def subject_box(kind: str, cx: float, foot: float, size: float, aspect: float) -> Box:
    """Box of a subject from its middle, its foot line and the square root of its share of the photo.

    Args:
        kind: name in SUBJECTS.
        cx: middle, fraction of the width.
        foot: lower edge, fraction of the height.
        size: sqrt(area share).
        aspect: width over height of the photo in pixels.

    Returns:
        (x1, y1, x2, y2) in fractions of the photo.
    """
    ratio = SUBJECTS[kind] / aspect
    w, h = size * ratio**0.5, size / ratio**0.5
    return cx - w / 2, foot - h, cx + w / 2, foot


def sample_distractors(rng: np.random.Generator, count: int, horizon: float) -> tuple[Thing, ...]:
    """Draw `count` eye-catchers that hug the left, right or lower border, partly cut by it."""
    things = []
    for _ in range(count):
        kind, side, u = str(rng.choice(DISTRACTORS)), rng.integers(3), rng.uniform(size=5)
        w, h = 0.05 + 0.05 * u[0], 0.1 + 0.14 * u[1]
        foot = min(horizon + 0.1 + 0.5 * u[2], 1.02) if side < 2 else 1.0 + 0.3 * h
        inset = w * (u[3] - 0.35)
        x1 = (inset, 1 - w - inset, 0.06 + (0.88 - w) * u[4])[side]
        things.append(Thing(kind, (x1, foot - h, x1 + w, foot), _hsv(rng.uniform(), 0.85, 0.9)))
    return tuple(things)


def sample_scene(rng: np.random.Generator, look: Look, aspect: float, distractors: bool = True) -> Scene:
    """Draw one photo of `look`, loosely framed: the subject anywhere in the middle half, mess near the borders.

    Args:
        rng: source of randomness.
        look: appearance.
        aspect: width over height of the photo in pixels.
        distractors: False for a tidy place.

    Returns:
        The scene.
    """
    horizon = float(np.clip(look.horizon + rng.normal(0, 0.03), 0.3, 0.68))
    size, cx = rng.uniform(0.2, 0.32), rng.uniform(0.32, 0.68)
    foot = rng.uniform(max(horizon + 0.1, 0.66), 0.82)
    if look.subject_kind == "balloon":
        foot = rng.uniform(0.5, 0.62)
    box = subject_box(look.subject_kind, cx, foot, size, aspect)
    things = sample_distractors(rng, int(rng.integers(1, 4)), horizon) if distractors else ()
    vanishing = (
        (float(cx + rng.normal(0, 0.05)), horizon)
        if rng.uniform() < 0.35 and look.ground_kind != "water"
        else None
    )
    return Scene(
        look, horizon, box, things, vanishing, float(rng.uniform(0.93, 1.07)), int(rng.integers(2**31))
    )

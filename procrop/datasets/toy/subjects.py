"""How subjects and distractors are drawn: each a few shapes in the unit square, enlarged, then smoothed."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from procrop.datasets.toy.scene import Colour, Look, Thing

OVERSAMPLING = 3


class Pen:
    """Draws shapes given in the unit square on an RGBA sheet.

    Args:
        width, height: size of the sheet in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.sheet = Image.new("RGBA", self.size, (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.sheet)

    def _px(self, points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
        return [(x * (self.size[0] - 1), y * (self.size[1] - 1)) for x, y in points]

    def poly(self, colour: Colour, *points: tuple[float, float]) -> None:
        """Fill the polygon through `points`."""
        self._draw.polygon(self._px(points), fill=_rgb(colour))

    def box(self, colour: Colour, x1: float, y1: float, x2: float, y2: float) -> None:
        """Fill a rectangle."""
        self._draw.rectangle([*self._px(((x1, y1), (x2, y2)))], fill=_rgb(colour))

    def disc(self, colour: Colour, x1: float, y1: float, x2: float, y2: float) -> None:
        """Fill the ellipse in a rectangle."""
        self._draw.ellipse([*self._px(((x1, y1), (x2, y2)))], fill=_rgb(colour))

    def half(self, colour: Colour, x1: float, y1: float, x2: float, y2: float, upper: bool = True) -> None:
        """Fill the upper or lower half of an ellipse."""
        start = 180 if upper else 0
        self._draw.pieslice([*self._px(((x1, y1), (x2, y2)))], start, start + 180, fill=_rgb(colour))

    def stroke(self, colour: Colour, width: float, *points: tuple[float, float]) -> None:
        """Draw a line through `points`; `width` in fractions of the sheet's width."""
        px = max(1, round(width * self.size[0]))
        self._draw.line(self._px(points), fill=_rgb(colour), width=px, joint="curve")


def _rgb(colour: Colour) -> tuple[int, int, int, int]:
    return (*(int(np.clip(c, 0, 1) * 255 + 0.5) for c in colour), 255)


def _shade(colour: Colour, factor: float) -> Colour:
    return tuple(float(np.clip(c * factor, 0, 1)) for c in colour)


WOOD: Colour = (0.36, 0.25, 0.16)
SKIN: Colour = (0.85, 0.66, 0.52)


def _person(pen: Pen, k: Look) -> None:
    a, b, _ = k.proportions
    hip = 0.52 + 0.08 * a
    pen.poly(
        k.accent,
        (0.3, hip),
        (0.7, hip),
        (0.78, 1.0),
        (0.56, 1.0),
        (0.5, hip + 0.14),
        (0.44, 1.0),
        (0.22, 1.0),
    )
    if b > 0.5:  # a skirt
        pen.poly(k.accent, (0.32, hip - 0.06), (0.68, hip - 0.06), (0.92, 0.82), (0.08, 0.82))
    pen.stroke(SKIN, 0.12, (0.2, 0.26), (0.1, 0.42), (0.16, 0.55))
    pen.stroke(SKIN, 0.12, (0.8, 0.26), (0.9, 0.42), (0.84, 0.55))
    pen.poly(k.body, (0.16, 0.21), (0.84, 0.21), (0.72, hip), (0.28, hip))
    pen.disc(SKIN, 0.3, 0.02, 0.7, 0.2)
    pen.half(k.detail, 0.26, 0.0, 0.74, 0.18)


def _tree(pen: Pen, k: Look) -> None:
    a, b, c = k.proportions
    crown = 0.55 + 0.2 * a
    pen.poly(WOOD, (0.45, crown - 0.1), (0.55, crown - 0.1), (0.6, 1.0), (0.4, 1.0))
    pen.disc(_shade(k.body, 0.8), 0.0, 0.22, 0.6, crown + 0.04)
    pen.disc(k.body, 0.38, 0.16 + 0.1 * b, 1.0, crown)
    pen.disc(_shade(k.body, 1.15), 0.16, 0.0, 0.82, crown - 0.08)
    if c > 0.45:  # fruit
        for x, y in ((0.25, 0.3), (0.5, 0.16), (0.7, 0.34), (0.42, 0.42), (0.82, 0.44), (0.14, 0.45)):
            pen.disc(k.accent, x - 0.04, y - 0.035, x + 0.04, y + 0.035)


def _pine(pen: Pen, k: Look) -> None:
    tiers = 3 + int(2.99 * k.proportions[0])
    pen.box(WOOD, 0.44, 0.8, 0.56, 1.0)
    for i in range(tiers, 0, -1):
        low, top, half = 0.88 * i / tiers, 0.88 * (i - 1.4) / tiers, 0.5 * (0.35 + 0.65 * i / tiers)
        pen.poly(
            _shade(k.body, 0.75 + 0.4 * (i % 2)), (0.5, max(top, 0.0)), (0.5 + half, low), (0.5 - half, low)
        )
    if k.proportions[1] > 0.5:
        pen.disc(k.accent, 0.42, 0.0, 0.58, 0.08)


def _house(pen: Pen, k: Look) -> None:
    a, b, c = k.proportions
    eaves = 0.32 + 0.2 * a
    pen.box(k.detail, 0.7, 0.04, 0.8, eaves)
    pen.box(k.body, 0.07, eaves, 0.93, 1.0)
    pen.poly(k.accent, (0.0, eaves), (0.5 - 0.35 * b, 0.0), (0.5 + 0.35 * b, 0.0), (1.0, eaves))
    pen.box(k.detail, 0.43, 0.68, 0.57, 1.0)
    for x in (0.16, 0.66) if c > 0.4 else (0.13, 0.29, 0.61, 0.77):
        pen.box((0.97, 0.93, 0.7), x, eaves + 0.12, x + (0.18 if c > 0.4 else 0.1), eaves + 0.3)


def _boat(pen: Pen, k: Look) -> None:
    a, b, _ = k.proportions
    mast = 0.4 + 0.2 * a
    pen.box(WOOD, mast - 0.012, 0.0, mast + 0.012, 0.8)
    pen.poly(k.accent, (mast + 0.03, 0.04), (mast + 0.03, 0.7), (0.95, 0.7))
    if b > 0.3:
        pen.poly(_shade(k.accent, 1.25), (mast - 0.03, 0.12), (mast - 0.03, 0.7), (0.12, 0.7))
    pen.poly(k.body, (0.0, 0.76), (1.0, 0.76), (0.84, 1.0), (0.14, 1.0))
    pen.box(k.detail, 0.04, 0.79, 0.96, 0.83)


def _animal(pen: Pen, k: Look) -> None:
    a, b, c = k.proportions
    back = 0.34 + 0.1 * a
    for x in (0.2, 0.32, 0.62, 0.74):
        pen.box(_shade(k.body, 0.75), x, 0.6, x + 0.07, 1.0)
    pen.disc(k.body, 0.12, back, 0.86, 0.78)
    pen.stroke(k.body, 0.13, (0.76, 0.52), (0.84, 0.2 + 0.1 * b))
    pen.disc(k.body, 0.74, 0.08, 1.0, 0.34)
    pen.poly(k.accent, (0.78, 0.12), (0.8, 0.0), (0.86, 0.1))
    pen.stroke(_shade(k.body, 0.7), 0.035, (0.15, 0.5), (0.03, 0.38 + 0.4 * c))
    if b > 0.4:  # spots
        for x, y in ((0.3, 0.5), (0.48, 0.6), (0.6, 0.47), (0.42, 0.44)):
            pen.disc(k.accent, x - 0.05, y - 0.05, x + 0.05, y + 0.05)


def _tower(pen: Pen, k: Look) -> None:
    a, b, _ = k.proportions
    top, bands = 0.28 - 0.1 * a, 3 + int(4 * b)
    edges = np.linspace(top, 1.0, 2 * bands)
    for i, (y1, y2) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        w1, w2 = (0.26 + 0.2 * (y - top) for y in (y1, y2))
        colour = k.body if i % 2 == 0 else k.accent
        pen.poly(colour, (0.5 - w1, y1), (0.5 + w1, y1), (0.5 + w2, y2), (0.5 - w2, y2))
    pen.box(k.detail, 0.14, top - 0.02, 0.86, top + 0.02)
    pen.box((1.0, 0.95, 0.6), 0.32, top - 0.12, 0.68, top - 0.02)
    pen.poly(k.accent, (0.22, top - 0.12), (0.5, 0.0), (0.78, top - 0.12))


def _balloon(pen: Pen, k: Look) -> None:
    gores = 2 + int(2.99 * k.proportions[0])
    for i in range(gores, 0, -1):
        half = 0.5 * i / gores
        pen.disc(k.body if i % 2 else k.accent, 0.5 - half, 0.0, 0.5 + half, 0.74)
        pen.poly(
            k.body if i % 2 else k.accent, (0.5 - half * 0.87, 0.55), (0.5 + half * 0.87, 0.55), (0.5, 0.84)
        )
    pen.box(WOOD, 0.4, 0.88, 0.6, 1.0)
    pen.stroke(k.detail, 0.015, (0.4, 0.9), (0.36, 0.7))
    pen.stroke(k.detail, 0.015, (0.6, 0.9), (0.64, 0.7))


def _umbrella(pen: Pen, k: Look) -> None:
    a, b, _ = k.proportions
    rim = 0.36 + 0.2 * a
    pen.box(WOOD, 0.48, 0.06, 0.52, 1.0)
    for i, half in enumerate((0.5, 0.3, 0.11)):
        pen.half(k.body if i % 2 == 0 else k.accent, 0.5 - half, 0.02, 0.5 + half, 2 * rim)
    if b > 0.35:  # a deck chair
        pen.poly(k.accent, (0.56, 0.88), (0.86, 0.88), (0.96, 0.62), (0.9, 0.62), (0.8, 0.82), (0.56, 0.82))
        pen.box(WOOD, 0.6, 0.88, 0.64, 1.0)
        pen.box(WOOD, 0.8, 0.88, 0.84, 1.0)


def _car(pen: Pen, k: Look) -> None:
    a, b, _ = k.proportions
    pen.poly(k.body, (0.2 - 0.12 * b, 0.5), (0.32, 0.08), (0.7, 0.08), (0.85 + 0.1 * b, 0.5))
    pen.poly((0.8, 0.9, 0.97), (0.29, 0.45), (0.36, 0.16), (0.48, 0.16), (0.48, 0.45))
    pen.poly((0.8, 0.9, 0.97), (0.53, 0.45), (0.53, 0.16), (0.66, 0.16), (0.75, 0.45))
    pen.box(k.body, 0.0, 0.42 + 0.06 * a, 1.0, 0.82)
    pen.box(k.accent, 0.0, 0.6, 1.0, 0.67)
    for x in (0.12, 0.66):
        pen.disc((0.1, 0.1, 0.1), x, 0.62, x + 0.22, 1.0)
        pen.disc((0.75, 0.75, 0.75), x + 0.06, 0.73, x + 0.16, 0.89)


def _mill(pen: Pen, k: Look) -> None:
    a, b, _ = k.proportions
    pen.poly(k.body, (0.36, 0.3), (0.64, 0.3), (0.78, 1.0), (0.22, 1.0))
    pen.half(k.accent, 0.33, 0.16, 0.67, 0.44)
    pen.box(k.detail, 0.44, 0.8, 0.56, 1.0)
    for i in range(4):
        t = np.pi / 2 * (i + 0.15 + 0.7 * a)
        dx, dy = 0.48 * np.cos(t), 0.34 * np.sin(t)
        nx, ny = 0.07 * (1 + b) * -np.sin(t), 0.05 * (1 + b) * np.cos(t)
        tip, near = (0.5 + dx, 0.35 + dy), (0.5 + 0.25 * dx, 0.35 + 0.25 * dy)
        pen.poly(k.accent, near, tip, (tip[0] + nx, tip[1] + ny), (near[0] + nx, near[1] + ny))
        pen.stroke(k.detail, 0.03, (0.5, 0.35), tip)


def _cactus(pen: Pen, k: Look) -> None:
    a, b, c = k.proportions
    pen.stroke(k.body, 0.16, (0.5, 0.45 + 0.2 * a), (0.12, 0.45 + 0.2 * a), (0.12, 0.2 + 0.1 * a))
    pen.stroke(k.body, 0.16, (0.5, 0.45 + 0.2 * b), (0.88, 0.45 + 0.2 * b), (0.88, 0.12 + 0.2 * b))
    pen.disc(k.body, 0.34, 0.0, 0.66, 0.3)
    pen.box(k.body, 0.34, 0.14, 0.66, 1.0)
    for x in (0.42, 0.5, 0.58):
        pen.stroke(_shade(k.body, 0.65), 0.02, (x, 0.1), (x, 1.0))
    pen.disc(k.accent, 0.4, 0.0, 0.6, 0.1 + 0.06 * c)


def _arch(pen: Pen, k: Look) -> None:
    a, b, _ = k.proportions
    pier, lintel = 0.16 + 0.1 * a, 0.2 + 0.12 * b
    pen.box(k.body, 0.05, 0.06, 0.05 + pier, 1.0)
    pen.box(k.body, 0.95 - pier, 0.06, 0.95, 1.0)
    pen.box(k.accent, 0.0, 0.06, 1.0, lintel)
    pen.poly(_shade(k.body, 1.2), (0.0, 0.06), (0.5, 0.0), (1.0, 0.06))
    for y in np.arange(lintel + 0.1, 1.0, 0.16):
        pen.box(k.detail, 0.05, y, 0.05 + pier, y + 0.025)
        pen.box(k.detail, 0.95 - pier, y, 0.95, y + 0.025)


def _heron(pen: Pen, k: Look) -> None:
    a, b, _ = k.proportions
    pen.stroke(k.detail, 0.04, (0.46, 0.6), (0.44, 1.0))
    pen.stroke(k.detail, 0.04, (0.56, 0.6), (0.58, 1.0))
    pen.disc(k.body, 0.08, 0.36, 0.76, 0.7)
    pen.poly(k.accent, (0.0, 0.6 + 0.1 * b), (0.2, 0.4), (0.6, 0.5), (0.3, 0.64))
    pen.stroke(k.body, 0.1, (0.66, 0.5), (0.6 + 0.1 * a, 0.28), (0.72, 0.1))
    pen.disc(k.body, 0.62, 0.02, 0.82, 0.18)
    pen.poly((0.95, 0.6, 0.15), (0.79, 0.06), (1.0, 0.11), (0.79, 0.14))


_DRAW: dict[str, Callable[[Pen, Look], None]] = {
    "person": _person,
    "tree": _tree,
    "pine": _pine,
    "house": _house,
    "boat": _boat,
    "animal": _animal,
    "tower": _tower,
    "balloon": _balloon,
    "umbrella": _umbrella,
    "car": _car,
    "mill": _mill,
    "cactus": _cactus,
    "arch": _arch,
    "heron": _heron,
}


def draw_subject(look: Look, width: int, height: int) -> Image.Image:
    """Draw the subject of `look` so that it fills a sheet.

    Returns:
        RGBA picture of `width` x `height` pixels.
    """
    pen = Pen(width * OVERSAMPLING, height * OVERSAMPLING)
    _DRAW[look.subject_kind](pen, look)
    return pen.sheet.resize((width, height), Image.Resampling.BOX)


def draw_distractor(thing: Thing, width: int, height: int) -> Image.Image:
    """Draw a distractor so that it fills an RGBA sheet of `width` x `height` pixels."""
    pen, c = Pen(width * OVERSAMPLING, height * OVERSAMPLING), thing.colour
    if thing.kind == "bin":
        pen.poly(c, (0.05, 0.15), (0.95, 0.15), (0.8, 1.0), (0.2, 1.0))
        pen.box(_shade(c, 0.6), 0.0, 0.0, 1.0, 0.15)
    elif thing.kind == "pole":
        pen.box((0.25, 0.25, 0.25), 0.4, 0.0, 0.6, 1.0)
        pen.disc(c, 0.1, 0.0, 0.9, 0.25)
    elif thing.kind == "sign":
        pen.box((0.5, 0.5, 0.5), 0.45, 0.4, 0.55, 1.0)
        pen.poly(c, (0.5, 0.0), (1.0, 0.45), (0.0, 0.45))
    elif thing.kind == "bush":
        pen.half(_shade(c, 0.7), 0.0, 0.0, 1.0, 2.0)
    else:
        pen.disc(SKIN, 0.25, 0.0, 0.75, 0.25)
        pen.half(c, 0.0, 0.22, 1.0, 1.8)
    return pen.sheet.resize((width, height), Image.Resampling.BOX)

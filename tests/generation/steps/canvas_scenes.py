"""Drawn photos, and items as earlier steps leave them."""

import numpy as np

from procrop.generation import BeyondImage, CADItem, CanvasPlan, CompositionAnalysis, WithinImage

ANALYSIS = CompositionAnalysis(
    "A boat on a lake",
    WithinImage(("a boat", "its reflection"), "the boat", None, "centre"),
    BeyondImage("reeds", "a pier", "sky", "dark water", "a mountain lake at dawn"),
)


def photo(width=180, height=120, seed=0):
    """A bright disc and a bar on a gradient, with grain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    image = np.stack([80 + 120 * x, 60 + 90 * y, 140 - 60 * x], axis=2)
    image[(x - 0.35) ** 2 + (y - 0.5) ** 2 < 0.04] = (230, 200, 40)
    image[(x > 0.7) & (x < 0.8)] = (20, 30, 160)
    return (image + rng.normal(0, 3, image.shape)).clip(0, 255).astype(np.uint8)


def item(plan=None, masks=None, analysis=None, **size):
    return CADItem("lake", 0, "lake.jpg", photo=photo(**size), canvas=plan, masks=masks, analysis=analysis)


PLAN = CanvasPlan(97, 83, (21, 13, 75, 49))

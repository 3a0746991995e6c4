"""Label maps as one coloured picture, the way a ControlNet of segmentations is conditioned."""

import numpy as np

from procrop.generation.canvas_plan import CanvasPlan
from procrop.generation.known_area import known_slices
from procrop.generation.steps.masks.label_maps import resize_labels

# raise when colours change: they are part of what a canvas is painted from
VERSION = 1


def segmentation_map(masks: np.ndarray, plan: CanvasPlan) -> np.ndarray:
    """Multi-scale masks of a photo, coloured and laid on the canvas; the unknown part is black.

    Each label of each level has a colour of its own, always the same. A pixel takes the mean of its colours over the
    levels that have a mask there, so that one flat colour stands for one combination of parts, and parts of one whole
    resemble each other; black where no level has one.

    Args:
        masks: (L, H, W) uint16 label maps of the photo.
        plan: The canvas.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    on_canvas = resize_labels(masks, plan.known_size)
    total = np.zeros((*on_canvas.shape[1:], 3), np.float32)
    present = np.zeros(on_canvas.shape[1:], np.float32)
    for level, labels in enumerate(on_canvas):
        total += _palette(level, int(labels.max(initial=0)))[labels]
        present += labels > 0
    colours = np.rint(total / np.maximum(present, 1)[..., None]).astype(np.uint8)
    canvas = np.zeros((plan.height, plan.width, 3), np.uint8)
    canvas[known_slices(plan)] = colours
    return canvas


def _palette(level: int, labels: int) -> np.ndarray:
    """(labels + 1, 3) float32; label 0 is black, the others are never near it. More labels do not change the first."""
    colours = np.random.default_rng([VERSION, level]).integers(32, 256, (labels + 1, 3))
    colours[0] = 0
    return colours.astype(np.float32)

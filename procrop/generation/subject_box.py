"""Where a photo's subject lies on the canvas."""

import numpy as np

from .item import CADItem


def subject_on_canvas(item: CADItem) -> np.ndarray | None:
    """The analysis's subject box, scaled into the known area.

    Args:
        item: Item with ``analysis`` and ``canvas``.

    Returns:
        (4,) float64 xyxy in pixels of the canvas; None where the analysis knows of no subject.
    """
    box = item.analysis.within.subject_box
    if box is None:
        return None
    x1, y1, _, _ = item.canvas.known
    width, height = item.canvas.known_size
    return np.array(box, np.float64) * (width, height, width, height) + (x1, y1, x1, y1)

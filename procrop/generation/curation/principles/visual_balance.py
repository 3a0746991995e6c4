"""What draws attention does not all lie on one side of a crop."""

import numpy as np

from procrop.registry import CURATION

from ..photo_facts import PhotoFacts
from .base import Principle
from .raster_shares import covered


@CURATION.register_module()
class VisualBalance(Principle):
    """How near the centre of gravity of the saliency within the crop is to the crop's middle.

    1 - max(|x - 1/2|, |y - 1/2|) / (1/2) with (x, y) in shares of the crop's sides. A cell of the saliency's raster
    counts with the share of it that lies in the crop. A crop without any saliency is in balance.
    """

    name = "balance"

    def scores(self, boxes: np.ndarray, facts: PhotoFacts) -> np.ndarray | None:
        """See :class:`Principle`."""
        if facts.saliency is None:
            return None
        mass = np.asarray(facts.saliency, np.float64)
        rows, columns = mass.shape
        # shares of the raster's cells in each crop, and the middle of what lies in it
        share_x, middle_x = covered(boxes[:, [0, 2]] * columns / facts.size[0], columns)
        share_y, middle_y = covered(boxes[:, [1, 3]] * rows / facts.size[1], rows)
        total = np.einsum("nr,rc,nc->n", share_y, mass, share_x)
        safe = np.where(total > 0, total, 1.0)
        x = np.einsum("nr,rc,nc->n", share_y, mass, share_x * middle_x) / safe
        y = np.einsum("nr,rc,nc->n", share_y * middle_y, mass, share_x) / safe
        off = 2 * np.maximum(np.abs(x - 0.5), np.abs(y - 0.5))
        return np.where(total > 0, np.clip(1 - off, 0.0, 1.0), 1.0)

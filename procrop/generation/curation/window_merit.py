"""What a crop is worth, judged by where the subject is and nothing else."""

from dataclasses import dataclass

import numpy as np

from .photo_facts import PhotoFacts
from .principles.raster_shares import mass_in
from .principles.visual_balance import VisualBalance

_STRIP = 0.04  # width of what an edge runs through, as a share of the photo's side
_WHOLE = np.array([0.0, 0.0, 1.0, 1.0])


@dataclass(frozen=True)
class WindowMerit:
    r"""The merit of crops on a map of the subject.

    With k the share of the map's mass that the crop keeps and a its share of the photo's area:

        k - ``price`` · a + ``balance`` · b - ``cut`` · c - ``size`` · ln²(a / ``usual_area``) - ``shape`` · ln²(r)

    Area costs, so that a border with less than ``price`` times the mean density of the map is better cut off. b is
    `VisualBalance`; c the mean density that the crop's edges run through, each edge weighted by its length, an edge on
    the photo's border running through half as much of it; r how much wider the crop is than the photo's shape. The
    last two terms keep sizes and shapes to what people do.

    The weights were chosen by hand among some thirty settings, by the scored crops of five photographs of GAICD and the
    sizes of its best crops. So figures on those five flatter it.

    Attributes:
        price, balance, cut, size, shape: Weights, at least 0.
        usual_area: In (0, 1].
    """

    price: float = 0.3
    balance: float = 0.05
    cut: float = 0.02
    size: float = 0.2
    usual_area: float = 0.7
    shape: float = 0.1

    def __call__(self, subject: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Merits (n,) float64 of crops.

        Args:
            subject: (h, w) float, at least 0: how much each cell of the photo belongs to the subject. Only its shape
                counts, not its scale; without any mass k, b and c count as 0.
            boxes: (n, 4) ``xyxy`` as shares of the photo's sides, inside it, of positive area.
        """
        boxes = np.asarray(boxes, np.float64)
        width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        area = width * height
        merit = -self.price * area - self.size * np.log(area / self.usual_area) ** 2
        merit -= self.shape * np.log(width / height) ** 2
        total = float(np.sum(subject, dtype=np.float64))
        if not total > 0:
            return merit
        facts = PhotoFacts((1.0, 1.0), _WHOLE, 5.0, None, subject, None)
        merit += mass_in(subject, boxes) / total + self.balance * VisualBalance().scores(boxes, facts)
        density = np.asarray(subject, np.float64) * (subject.size / total)
        return merit - self.cut * _border_density(density, boxes) if self.cut else merit


def _border_density(density: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Mean of a map (h, w) along the edges of boxes (n, 4), summed over the edges by their length; (n,)."""
    found = np.zeros(len(boxes))
    for edge in range(4):
        axis = edge % 2
        strip = boxes.copy()
        strip[:, axis], strip[:, axis + 2] = boxes[:, edge] - _STRIP / 2, boxes[:, edge] + _STRIP / 2
        strip = strip.clip(0, 1)
        area = (strip[:, 2:] - strip[:, :2]).prod(axis=1)
        length = boxes[:, 3 - axis] - boxes[:, 1 - axis]
        found += mass_in(density, strip) / density.size / area * length
    return found

"""What a crop is worth, judged by where the subject is and nothing else."""

from dataclasses import dataclass

import numpy as np

from .photo_facts import PhotoFacts
from .principles.raster_shares import covered, mass_in
from .principles.visual_balance import VisualBalance

_STRIP = 0.06  # width of what an edge runs through, as a share of the photo's side
_DENSEST = 0.15  # share of an edge that counts: a head is a small part of the edge that cuts it
_BORDER = 0.005  # an edge so near to the photo's border cuts nothing
_WHOLE = np.array([0.0, 0.0, 1.0, 1.0])


@dataclass(frozen=True)
class WindowMerit:
    r"""The merit of crops on a map of the subject.

    With k the share of the map's mass that the crop keeps and a its share of the photo's area:

        k - ``price`` · a + ``balance`` · b - ``edge`` · e - ``headroom`` · (t - u) - ``size`` · ln²(a / ``usual_area``)
        - ``shape`` · ln²(r)

    Area costs, so that a border with less than ``price`` times the mean density of the map is better cut off. b is
    `VisualBalance`. e is what the crop's edges cut through, summed over the four: the mean over the densest 15 % of a
    strip along the edge, of the square root of the density, so that faint feet at one place of an edge count; nothing
    for an edge on the photo's border. t and u are what is taken off above and below: what stands in a photo has its
    head at the top, which classifiers see poorly. r is how much wider the crop is than the photo's shape. The last two
    terms keep sizes and shapes to what people do.

    The weights were chosen by hand among some hundred settings, by the scored crops of five photographs of GAICD, the
    sizes of its best crops, and by looking at crops of forty photos. So figures on those flatter it.

    Attributes:
        price, balance, edge, headroom, size, shape: Weights, at least 0.
        usual_area: In (0, 1].
    """

    price: float = 0.4
    balance: float = 0.05
    edge: float = 0.02
    headroom: float = 0.1
    size: float = 0.2
    usual_area: float = 0.7
    shape: float = 0.1

    def __call__(self, subject: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Merits (n,) float64 of crops.

        Args:
            subject: (h, w) float, at least 0: how much each cell of the photo belongs to the subject. Only its shape
                counts, not its scale; without any mass k, b and e count as 0.
            boxes: (n, 4) ``xyxy`` as shares of the photo's sides, inside it, of positive area.
        """
        boxes = np.asarray(boxes, np.float64)
        width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        area = width * height
        merit = -self.price * area - self.size * np.log(area / self.usual_area) ** 2
        merit -= self.shape * np.log(width / height) ** 2 + self.headroom * (boxes[:, 1] + boxes[:, 3] - 1)
        total = float(np.sum(subject, dtype=np.float64))
        if not total > 0:
            return merit
        facts = PhotoFacts((1.0, 1.0), _WHOLE, 5.0, None, subject, None)
        merit += mass_in(subject, boxes) / total + self.balance * VisualBalance().scores(boxes, facts)
        density = np.asarray(subject, np.float64) * (subject.size / total)
        return merit - self.edge * _cut_through(np.sqrt(density), boxes) if self.edge else merit


def _cut_through(level: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """What the edges of boxes (n, 4) cut through in a map (h, w), (n,)."""
    found = np.zeros(len(boxes))
    for edge in range(4):
        axis = edge % 2
        along = level if axis == 1 else level.T  # (cells across the edge, cells along it)
        strips = np.stack([boxes[:, edge] - _STRIP / 2, boxes[:, edge] + _STRIP / 2], axis=1).clip(0, 1)
        across, _ = covered(strips * len(along), len(along))
        profile = across @ along / across.sum(axis=1, keepdims=True)
        spans, _ = covered(boxes[:, [1 - axis, 3 - axis]] * along.shape[1], along.shape[1])
        inside = (boxes[:, edge] > _BORDER) & (boxes[:, edge] < 1 - _BORDER)
        found += np.where(inside, _mean_of_densest(profile, spans > 0), 0.0)
    return found


def _mean_of_densest(profile: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Mean of the largest share of each row (n, m) of what is ``within`` (n, m) bool; (n,)."""
    counts = np.maximum(1, np.round(_DENSEST * within.sum(axis=1))).astype(int)
    largest = -np.sort(-np.where(within, profile, 0.0), axis=1)
    return np.where(np.arange(profile.shape[1]) < counts[:, None], largest, 0.0).sum(axis=1) / counts

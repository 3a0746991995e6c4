"""The best constant answer of several crops: what knowing where crops usually lie is worth to a model that gives N."""

from collections.abc import Sequence

import numpy as np

from procrop.evaluation.constant_crop import fit_constant_crops
from procrop.evaluation.photo_batch import PhotoBatch
from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.protocols.base import Figures, in_pixels
from procrop.evaluation.protocols.iou_disp import IoUDisp

#: figures that a set can be fitted for
FIGURES = ("iou", "disp")


def fit_constant_set(
    protocol: IoUDisp, records: Sequence[PhotoRecord], count: int = 3, figure: str = "iou"
) -> np.ndarray:
    """Crops in an order in which the first N are what to answer everywhere, for each N.

    The first one is the best constant crop. Each further one is the one that, beside those before it, most improves the
    figure of the best of them. For the IoU the sum over sets is submodular, so that the first N reach at least
    1 - 1/e of what the best set of N does (Nemhauser et al. 1978); the search of each is that of
    :func:`fit_constant_crops`.

    Args:
        protocol: How a crop is compared with the annotated ones.
        records: Photos of a training set; their predictions are not read.
        count: Crops.
        figure: "iou" or "disp", which is best when small and of the crop whose IoU is best, as the protocol has it.

    Returns:
        (count, 4) float64 ``xyxy``, shares of the photo's width and height.

    Raises:
        ValueError: Unknown figure, or no photo has a valid annotated crop.
    """
    if figure not in FIGURES:
        raise ValueError(f"a constant set is fitted for one of {FIGURES}, not {figure!r}")
    chosen = np.zeros((0, 4))
    for _ in range(count):
        found = fit_constant_crops([_Beside(protocol, chosen, figure)], records)
        crop = found[f"{protocol.prefix}/{figure}"]["crop"]
        chosen = np.concatenate([chosen, np.array([crop])])
    return chosen


class _Beside:
    """A protocol to fit with: the figure of the best of some crops and one more."""

    def __init__(self, protocol: IoUDisp, chosen: np.ndarray, figure: str) -> None:
        self.prefix = protocol.prefix
        self._protocol, self._chosen, self._figure = protocol, chosen, figure

    def single(self, batch: PhotoBatch, boxes: np.ndarray) -> Figures:
        """Figures (T, C) with each of the boxes (T, C, 4) as the one more."""
        iou, disp = self._protocol.single(batch, boxes).values()
        if len(self._chosen):
            have = self._protocol.single(batch, in_pixels(batch, self._chosen))
            for old_iou, old_disp in zip(*(values.T[..., None] for values in have.values()), strict=True):
                # of the crops so far the first counts among equals, unless the other one is nearer
                better = (old_iou > iou) | ((old_iou == iou) & (old_disp < disp))
                iou, disp = np.where(better, old_iou, iou), np.where(better, old_disp, disp)
        return {self._figure: iou if self._figure == "iou" else disp}

"""How the attention of crops is spread over references, photo and text; numbers alone, without torch."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ReferenceAttention:
    """Where the crops of one photo looked, as shares of their attention.

    For each crop, references, photo, text and null have the sum 1. A crop that no prediction overlaps has NaN
    throughout. The share of a reference that counts several times is the sum over its copies.

    Attributes:
        ids: (K,) int64, the references' numbers in the gallery, each once, in the order in which the model got them.
        references: (n, K) float64, the share of each crop on each reference.
        photo: (n,) on the photo's own tokens.
        text: (n,) on the tokens of photo and caption; 0 without text.
        null: (n,) on the learned token that stands beside the references, or the words, so that a photo's token may
            read out none of them.
    """

    ids: np.ndarray
    references: np.ndarray
    photo: np.ndarray
    text: np.ndarray
    null: np.ndarray

    def of(self, reference: int, rank: int = 0) -> float:
        """Share of the crop of a rank on a gallery photo; 0 for one that was not among its references."""
        (place,) = np.nonzero(self.ids == reference)
        return float(self.references[rank, place].sum())

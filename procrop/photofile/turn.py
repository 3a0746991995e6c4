"""How a stored photo is turned to stand upright."""

from dataclasses import dataclass

import numpy as np

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Turn:
    """An EXIF orientation: rows and columns change places, or not, and then the upright picture is mirrored.

    Attributes:
        swaps: rows and columns change places first.
        flip_x: left and right are exchanged after that.
        flip_y: top and bottom are exchanged after that.
    """

    swaps: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def upright_size(self, stored: tuple[int, int]) -> tuple[int, int]:
        """(width, height) upright of a photo stored with (width, height)."""
        return (stored[1], stored[0]) if self.swaps else stored

    def stored_box(self, box: Box, upright: tuple[int, int]) -> Box:
        """The box of the stored pixels that become ``box`` (x1, y1, x2, y2) of the upright photo of that size."""
        x1, y1, x2, y2 = box
        if self.flip_x:
            x1, x2 = upright[0] - x2, upright[0] - x1
        if self.flip_y:
            y1, y2 = upright[1] - y2, upright[1] - y1
        return (y1, x1, y2, x2) if self.swaps else (x1, y1, x2, y2)

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """Turn an array whose first two axes are rows and columns; a view of it."""
        upright = stored.swapaxes(0, 1) if self.swaps else stored
        return self._flipped(upright)

    def undo(self, upright: np.ndarray) -> np.ndarray:
        """The array that :meth:`apply` turns into this one; a view of it."""
        stored = self._flipped(upright)
        return stored.swapaxes(0, 1) if self.swaps else stored

    def _flipped(self, upright: np.ndarray) -> np.ndarray:
        return upright[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


# EXIF orientation -> what makes it upright (TIFF 6.0, tag 274)
TURNS = {
    1: Turn(),
    2: Turn(flip_x=True),
    3: Turn(flip_x=True, flip_y=True),
    4: Turn(flip_y=True),
    5: Turn(swaps=True),
    6: Turn(swaps=True, flip_x=True),
    7: Turn(swaps=True, flip_x=True, flip_y=True),
    8: Turn(swaps=True, flip_y=True),
}

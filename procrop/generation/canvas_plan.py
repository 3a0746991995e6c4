"""Where a photo lies on the canvas that is painted around it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CanvasPlan:
    """A canvas and the area of it that the photo covers.

    Attributes:
        width, height: Of the canvas in pixels.
        known: (x1, y1, x2, y2) integer pixels of the canvas that hold the downscaled photo, x2 and y2 exclusive: the
            known area, which is the label.

    Raises:
        ValueError: The known area is empty or leaves the canvas.
    """

    width: int
    height: int
    known: tuple[int, int, int, int]

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.known
        if not (0 <= x1 < x2 <= self.width and 0 <= y1 < y2 <= self.height):
            raise ValueError(
                f"the known area {self.known} must lie within the canvas of {self.width} x {self.height} pixels"
            )

    @property
    def known_size(self) -> tuple[int, int]:
        """(width, height) of the photo on the canvas in pixels."""
        x1, y1, x2, y2 = self.known
        return x2 - x1, y2 - y1

    @property
    def known_share(self) -> float:
        """Share of the canvas that is known."""
        width, height = self.known_size
        return width * height / (self.width * self.height)

"""How a JPEG file was encoded."""

from dataclasses import dataclass

from PIL import Image

_SUBSAMPLINGS = {
    ((1, 1), (1, 1), (1, 1)): 0,
    ((2, 1), (1, 1), (1, 1)): 1,
    ((2, 2), (1, 1), (1, 1)): 2,
}


@dataclass(frozen=True)
class JpegFacts:
    """What a JPEG's header says of its encoding.

    Attributes:
        tables: a quantisation table of 64 numbers, row by row, per component.
        factors: (horizontal, vertical) sampling factor per component.
        progressive: whether it comes in scans of growing detail.
        transform: Adobe's colour transform: 0 none, 1 YCbCr, 2 YCCK; None where the file does not say.
    """

    tables: tuple[tuple[int, ...], ...]
    factors: tuple[tuple[int, int], ...]
    progressive: bool = False
    transform: int | None = None

    @classmethod
    def of(cls, image: Image.Image) -> "JpegFacts":
        """Of an opened JPEG."""
        layers = image.layer
        return cls(
            tuple(tuple(image.quantization[layer[3]]) for layer in layers),
            tuple((layer[1], layer[2]) for layer in layers),
            bool(image.info.get("progressive")),
            image.info.get("adobe_transform"),
        )

    @property
    def block_grid(self) -> tuple[int, int]:
        """Width and height in pixels of the units that a lossless cut cannot divide."""
        if len(self.factors) == 1:  # a single component is not interleaved, whatever its factors
            return 8, 8
        return 8 * max(h for h, _ in self.factors), 8 * max(v for _, v in self.factors)

    @property
    def stores_rgb(self) -> bool:
        """Whether the three components are red, green and blue."""
        return len(self.factors) == 3 and self.transform == 0

    def subsampling(self, swapped: bool) -> int:
        """As Pillow counts: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0; 0 for all that Pillow cannot write.

        Args:
            swapped: rows and columns have changed places.
        """
        factors = tuple((v, h) for h, v in self.factors) if swapped else self.factors
        return _SUBSAMPLINGS.get(factors, 0)

    def table_rows(self, swapped: bool) -> list[list[int]]:
        """The tables for a re-encoding; transposed where rows and columns have changed places."""
        tables = self.tables
        if (
            self.transform == 2
        ):  # Pillow writes plain CMYK: no component may get the coarser table of a colour difference
            tables = (tables[0],) * 4
        if swapped:
            tables = tuple(tuple(table[8 * (i % 8) + i // 8] for i in range(64)) for table in tables)
        return [list(table) for table in tables]

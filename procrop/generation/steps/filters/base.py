"""What a check of an outpainted photo is: figures, and a verdict on them."""

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from procrop.generation.item import CADItem
from procrop.generation.step import DropItem, GenerationStep


class QualityDrop(DropItem):
    """An item that did not pass a check.

    Attributes:
        check: `QualityCheck.name` of the check, with which the reason begins.
        figures: What was measured.
    """

    def __init__(self, check: str, fault: str, figures: Mapping[str, float]) -> None:
        super().__init__(f"{check}: {fault}")
        self.check = check
        self.figures = dict(figures)


class QualityCheck(GenerationStep):
    """A check of an outpainted photo. A subclass says what to `measure` and what is a `fault`; `run` is the same.

    It is a step of its own, or one of the checks of a `QualityFilter`. Figures are added to ``item.quality``.

    Attributes:
        name: One word; the reasons begin with it, so that they can be counted by check.
    """

    makes = ("quality",)
    name: str = ""

    @abstractmethod
    def measure(self, item: CADItem, rng: np.random.Generator) -> dict[str, float]:
        """Figures by name.

        Raises:
            ValueError: The item lacks what is measured.
        """

    @abstractmethod
    def fault(self, figures: Mapping[str, float]) -> str | None:
        """What is wrong with an item of such figures, with the figure and the limit; None if it passes."""

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        """Add the figures.

        Raises:
            QualityDrop: The item does not pass.
            ValueError: The item lacks what is measured.
        """
        figures = self.measure(item, rng)
        fault = self.fault(figures)
        if fault is not None:
            raise QualityDrop(self.name, fault, figures)
        return item.with_(quality={**item.quality, **figures})

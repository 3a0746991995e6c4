"""What a step of the pipeline is."""

from abc import ABC, abstractmethod

import numpy as np

from .item import CADItem


class DropItem(Exception):
    """Raised by a step for an item that is not good enough; the reason is counted and listed, the others go on.

    Attributes:
        reason: Why, in words.
        again: Whether the step wants to be asked again in every run, because it keeps its own answers and may be given
            leave to find another one. Otherwise the item is dropped until something that it hangs on changes.
    """

    def __init__(self, reason: str, again: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.again = reason, again


class GenerationStep(ABC):
    """One step: an item in, the item with this step's fields out. Idempotent, and without memory between items.

    What a step makes is a function of the item, the step's settings and the random generator that it is handed,
    which the pipeline seeds from (seed, step, source id, and for steps that see every expansion, its number).

    Attributes:
        makes: Names of the item's fields that this step sets.
        per_source: Whether the step looks at the source photo alone, so that it runs once for all expansions.
        kept: Whether its result is worth keeping on the disk between runs (it costs much, or may differ next time).
        needs: Names of the item's fields that it reads; it is shown no others, and a kept result is made again only
            when one of these has changed. None: the photo alone for steps with ``per_source``, for others everything
            that earlier steps have made.
        stand_in: Whether it only stands in for the real thing during development; a dataset made with it says so.
    """

    makes: tuple[str, ...] = ()
    per_source: bool = False
    kept: bool = False
    needs: tuple[str, ...] | None = None
    stand_in: bool = False

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hex SHA-256 over all that changes a result: type, parameters, weights, version."""

    @abstractmethod
    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        """Do the step.

        Raises:
            DropItem: The item is to be left out.
            ValueError: The item lacks what the step works on.
        """

    def close(self) -> None:  # noqa: B027 (most steps hold nothing)
        """Release what the step holds (connections, files); called once after the last item."""

"""What each result hangs on: names, random numbers and fingerprints of steps in a row."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from procrop.io.manifest import sha256_json

from .step import GenerationStep


class StepChain:
    """The steps in their order of work: those on the source photo first, then those on each expansion.

    Args:
        steps: As configured.
        seed: Of the generation.

    Attributes:
        names: Name of each step: its class, with a number behind it from the second of one class on.
        once, each: Numbers of the steps on the source photo, and on each expansion.
    """

    def __init__(self, steps: Sequence[GenerationStep], seed: int) -> None:
        self.steps, self.seed = list(steps), seed
        self.names: list[str] = []
        for step in self.steps:
            name = type(step).__name__
            before = sum(type(other) is type(step) for other in self.steps[: len(self.names)])
            self.names.append(f"{name}_{before + 1}" if before else name)
        self.once = [n for n, step in enumerate(self.steps) if step.per_source]
        self.each = [n for n, step in enumerate(self.steps) if not step.per_source]
        self.fingerprints = {name: s.fingerprint for name, s in zip(self.names, self.steps, strict=True)}
        self.fingerprint = sha256_json([seed, list(self.fingerprints.items())])

    @property
    def stand_ins(self) -> list[str]:
        """Names of steps that only stand in for others."""
        return [name for name, step in zip(self.names, self.steps, strict=True) if step.stand_in]

    def needs(self, number: int) -> tuple[str, ...]:
        """Fields of an item that a step is shown, sorted."""
        step = self.steps[number]
        if step.needs is not None:
            return tuple(sorted(step.needs))
        if step.per_source:
            return ("photo",)
        before = [n for n in (*self.once, *self.each) if n in self.once or n < number]
        return tuple(sorted({"photo", *(name for n in before for name in self.steps[n].makes)}))

    def draw(self, number: int, source_id: str, variant: int) -> list[str | int]:
        """What the random numbers of a step are a function of."""
        where = [self.seed, self.names[number], source_id]
        return where if self.steps[number].per_source else [*where, variant]

    def rng(self, number: int, source_id: str, variant: int) -> np.random.Generator:
        """The random generator of a step for an item: the same wherever and whenever it is asked for."""
        text = "/".join(map(str, self.draw(number, source_id, variant)))
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
        return np.random.default_rng(int.from_bytes(digest, "big"))

    def inputs(self, number: int, prints: Mapping[str, str]) -> dict[str, Any]:
        """What a step's result hangs on beside random numbers: itself and what it is shown.

        Args:
            number: Of the step.
            prints: Field -> fingerprint of its value.
        """
        shown = {name: prints.get(name) for name in self.needs(number)}
        name = self.names[number]
        return {"step": name, "fingerprint": self.fingerprints[name], "shown": shown}

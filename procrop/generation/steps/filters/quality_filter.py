"""Several checks as one step."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from procrop.generation.item import CADItem
from procrop.generation.step import GenerationStep
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

from .base import QualityCheck, QualityDrop


@GENERATION_STEPS.register_module()
class QualityFilter(GenerationStep):
    """The quality filter of outpainted photos (after Hong et al. 2024): checks in the order given.

    The first check that an item does not pass drops it: put the cheap ones first.

    Args:
        checks: Configs of `QualityCheck` steps, or such steps.
        drop: False keeps every item and only measures: each check also adds ``failed_<name>``, 1 or 0. Look at these
            figures before you choose limits.

    Raises:
        ValueError: There is no check, two have the same name, or one is no check.
    """

    makes = ("quality",)

    def __init__(self, checks: Sequence[dict[str, Any] | QualityCheck], drop: bool = True) -> None:
        built = [c if isinstance(c, GenerationStep) else GENERATION_STEPS.build(c) for c in checks]
        for check in built:
            if not isinstance(check, QualityCheck):
                raise ValueError(f"checks must be quality checks, but {type(check).__name__} is another step")
        names = [check.name for check in built]
        if not names:
            raise ValueError("checks must hold at least one check; leave the step out to keep every photo")
        if len(set(names)) < len(names):
            raise ValueError(f"checks must have different names, got {names}: their figures would mix")
        self.checks: tuple[QualityCheck, ...] = tuple(built)
        self.drop = bool(drop)

    @property
    def fingerprint(self) -> str:
        checks = [check.fingerprint for check in self.checks]
        return sha256_json({"type": type(self).__name__, "checks": checks, "drop": self.drop})

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        """Add the figures of all checks.

        Raises:
            QualityDrop: A check was not passed; it carries the figures of the checks up to that one.
            ValueError: The item lacks what a check measures.
        """
        quality = dict(item.quality)
        for check in self.checks:
            figures = check.measure(item, rng)
            fault = check.fault(figures)
            quality |= figures
            if not self.drop:
                quality[f"failed_{check.name}"] = float(fault is not None)
            elif fault is not None:
                raise QualityDrop(check.name, fault, quality)
        return item.with_(quality=quality)

    def close(self) -> None:
        for check in self.checks:
            check.close()

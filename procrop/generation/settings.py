"""The ``generation`` of a config: where photos come from, what is done to them, how the result is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from .errors import GenerationError
from .step import GenerationStep

# fields of an item that a dataset cannot do without
_NEEDED = ("canvas", "image")


@dataclass(frozen=True)
class GenerationSettings:
    """What ``generation = dict(...)`` of a config file may hold.

    Attributes:
        source: Config of one of GALLERY_SOURCES, or a list of several.
        steps: Configs of GENERATION_STEPS in their order.
        expansions: Expansions of each source photo; the paper's set has about three.
        seed: Of all that is drawn, and of the split.
        val_share, test_share: Shares of the source photos that are for validation and for testing; 0 makes no such
            split, otherwise at least one photo is in it where there are enough.
        quality: JPEG quality of the finished photos; their colours are not subsampled (4:4:4).
        imports: Modules to import first, where steps of your own are registered.

    Raises:
        GenerationError: An unknown key, or a value out of range.
    """

    source: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    steps: Sequence[Mapping[str, Any]]
    expansions: int = 3
    seed: int = 0
    val_share: float = 0.02
    test_share: float = 0.0
    quality: int = 95
    imports: Sequence[str] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        self._check_kinds()
        if self.expansions < 1:
            raise GenerationError(f"generation.expansions must be at least 1, not {self.expansions}")
        if min(self.val_share, self.test_share) < 0 or self.val_share + self.test_share >= 1:
            raise GenerationError(
                "generation.val_share and test_share must be at least 0 and leave some for training, not "
                f"{self.val_share} and {self.test_share}"
            )
        if not 1 <= self.quality <= 100:
            raise GenerationError(
                f"generation.quality must be a JPEG quality of 1 to 100, not {self.quality}"
            )
        if not self.steps:
            raise GenerationError("generation.steps is empty: name the steps from photo to dataset")

    def _check_kinds(self) -> None:
        """Configs are written by hand, and ``--cfg-options`` reads what is no number as text."""
        for name in ("expansions", "seed", "quality"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise GenerationError(f"generation.{name} must be a whole number, not {value!r}")
        for name in ("val_share", "test_share"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise GenerationError(f"generation.{name} must be a number, not {value!r}")
        for name, own in (("source", self.sources), ("steps", self.steps)):
            if not isinstance(own, list | tuple) or not all(isinstance(one, Mapping) for one in own):
                raise GenerationError(
                    f"generation.{name} must be a list of dict(type=...), not {getattr(self, name)!r}"
                )

    @classmethod
    def from_config(cls, values: Mapping[str, Any], imports: Sequence[str] = ()) -> "GenerationSettings":
        """Check and take the dict as a config file gives it.

        Args:
            values: ``generation``.
            imports: ``custom_imports["imports"]`` of the file.
        """
        known = [f.name for f in fields(cls) if f.name != "imports"]
        for key in values:
            if key not in known:
                near = get_close_matches(str(key), known, 1)
                hint = f"did you mean `{near[0]}`?" if near else f"it takes {', '.join(known)}"
                raise GenerationError(f"unknown key `{key}` of `generation`: {hint}")
        for key in ("source", "steps"):
            if key not in values:
                raise GenerationError(f"`generation` has no `{key}`; docs/generation.md shows one")
        return cls(**values, imports=tuple(imports))

    @property
    def sources(self) -> Sequence[Mapping[str, Any]]:
        """Configs of all sources."""
        return [self.source] if isinstance(self.source, Mapping) else self.source


def build_steps(configs: Sequence[Mapping[str, Any]]) -> list[GenerationStep]:
    """Make all steps, and see that each has what it works on, before the first photo is read.

    Raises:
        GenerationError: An unknown type or key, or a step whose needs no earlier step makes.
        ValueError, OSError, ImportError: As a step's class says.
    """
    from procrop.registry import GENERATION_STEPS

    steps = []
    for number, config in enumerate(configs):
        place = f"generation.steps[{number}]"
        try:
            step = GENERATION_STEPS.build(dict(config))
        except (KeyError, TypeError) as error:
            name = config.get("type") if isinstance(config, Mapping) else config
            raise GenerationError(f"{place} ({name!r}) cannot be made: {_said(error)}") from error
        if not isinstance(step, GenerationStep):
            raise GenerationError(f"{place}: {type(step).__name__} is no step of the pipeline")
        steps.append(step)
    _check_needs(steps)
    return steps


def _said(error: Exception) -> str:
    """The message of an error, without the quotes of KeyError."""
    return str(error.args[0]) if error.args else type(error).__name__


def _check_needs(steps: Sequence[GenerationStep]) -> None:
    made_once, made = {"photo"}, {"photo"}
    for step in steps:
        if step.per_source:
            made_once.update(step.makes)
    for step in steps:
        there = made_once if step.per_source else made | made_once
        for name in step.needs or ():
            if name not in there:
                kind = "a step on the source photo alone" if step.per_source else "a step"
                what = type(step).__name__
                raise GenerationError(f"{what} needs `{name}`: put {kind} that makes it before {what}")
        made.update(step.makes)
    for name in _NEEDED:
        if name not in made:
            raise GenerationError(f"no step makes `{name}`, without which there is nothing to write")

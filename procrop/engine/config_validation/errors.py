"""The error of a wrong config, and the search for the name that was probably meant. Imports nothing heavy."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_SHOWN_PROBLEMS = 20
_SHOWN_NAMES = 12


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where (dotted path, "" for the top level), which key or type, and the message."""

    place: str
    name: str
    message: str


class ConfigError(ValueError):
    """A config that cannot mean what it says: unknown keys, unknown types or overrides of nothing.

    Attributes:
        problems: all that was found, in the order of the config.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        lines = [problem.message for problem in self.problems[:_SHOWN_PROBLEMS]]
        hidden = len(self.problems) - len(lines)
        if hidden > 0:
            lines.append(f"... and {hidden} more")
        head = "" if len(lines) == 1 else f"{len(self.problems)} problems in the config:\n  "
        super().__init__(head + "\n  ".join(lines))


def nearest(name: str, choices: Collection[str], count: int = 1, cutoff: float = 0.6) -> list[str]:
    """The choices that look most like ``name``, best first, regardless of case.

    A choice also counts as near when the name resembles its beginning or its end, cut at an underscore, so that
    ``weigth`` finds ``loss_weight``.
    """
    scored = []
    for choice in choices:
        score = _likeness(name, choice)
        if score >= cutoff:
            scored.append((-score, edit_distance(name, choice), choice))
    return [choice for _, _, choice in sorted(scored)[:count]]


def _likeness(name: str, choice: str) -> float:
    name, choice = name.lower(), choice.lower()
    score = difflib.SequenceMatcher(None, name, choice).ratio()
    if sorted(name) == sorted(choice):
        score = max(score, 0.8)  # letters in another order, which weighs too much in a short name
    parts = choice.split("_")
    for cut in range(1, len(parts)):
        for piece in ("_".join(parts[:cut]), "_".join(parts[cut:])):
            if len(piece) >= 4:
                # a little less than a match of the whole name
                score = max(score, 0.9 * difflib.SequenceMatcher(None, name, piece).ratio())
    return score


def did_you_mean(name: str, choices: Collection[str], what: str = "keys") -> str:
    """The end of a message: the nearest right name, or the list of right names when none is near."""
    found = nearest(name, choices)
    if found:
        return f"did you mean `{found[0]}`?"
    shown = sorted(choices)
    if not shown:
        return f"it takes no {what}"
    tail = ", ..." if len(shown) > _SHOWN_NAMES else ""
    return f"possible {what}: {', '.join(shown[:_SHOWN_NAMES])}{tail}"


def edit_distance(a: str, b: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour to turn ``a`` into ``b``."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, other in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]

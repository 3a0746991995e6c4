"""One sentence on what the figures say, by rules that are written down (docs/evaluation.md)."""

from .comparison import Comparison, Difference

_NAMES = {"shuffled": "another photo's", "random": "random ones", "none": "none"}


def verdict(comparison: Comparison) -> str:
    """Judge a comparison by whether its 95 % intervals leave out zero.

    With *ahead* for an interval wholly above zero (retrieved references better) and *behind* for one wholly below:

    - ahead of both shuffled and random references: the choice of references matters. The model uses what is
      retrieved if it is ahead of none, too.
    - ahead of neither, behind neither: which references come does not matter, up to the largest end of these two
      intervals. They help, or harm, if retrieval is ahead of, or behind, none; otherwise there is no effect above the
      largest end of any of the three.
    - behind one of them: retrieval picks the wrong references for this model.
    - ahead of one only: undecided.

    A model that was trained without references and reaches as much says that the references bought nothing.
    """
    gains = {kind: comparison.gain(kind) for kind in ("shuffled", "random", "none")}
    sentence = _sentence(gains, comparison.key)
    twin = comparison.gain("twin")
    return sentence if twin is None else f"{sentence} {_twin(twin)}"


def _sentence(gains: dict[str, Difference], key: str) -> str:
    controls = ("shuffled", "random")
    ahead = [kind for kind in controls if gains[kind].low > 0]
    behind = [kind for kind in controls if gains[kind].high < 0]
    none = gains["none"]
    if behind:
        return f"Retrieved references are worse than {_list(behind)}: {_figures(gains, behind)} in {key}."
    if len(ahead) == 2:
        return f"{_matters(none)}: {_figures(gains, (*controls, 'none'))} in {key}."
    if ahead:
        other = next(kind for kind in controls if kind not in ahead)
        return (
            f"Undecided: retrieved references are better than {_list(ahead)}, but not told apart from "
            f"{_list([other])}: {_figures(gains, controls)} in {key}; more photos or more seeds would tell."
        )
    if none.low > 0 or none.high < 0:
        what = "help" if none.low > 0 else "harm"
        return (
            f"References {what}, but which ones does not matter (no effect above {_bound(gains, controls):.4f}): "
            f"{_figures(gains, ('none', *controls))} in {key}."
        )
    bound = _bound(gains, tuple(gains))
    return f"No effect of the references above {bound:.4f} in {key}: {_figures(gains, (*controls, 'none'))}."


def _bound(gains: dict[str, Difference], kinds: tuple[str, ...]) -> float:
    """What an effect may still be where none is seen: the largest end of the intervals."""
    return max(max(abs(gains[kind].low), abs(gains[kind].high)) for kind in kinds)


def _matters(none: Difference) -> str:
    if none.low > 0:
        return "The model uses what is retrieved"
    if none.high < 0:
        return "The model reads its references, and which ones matters, but it crops better without any"
    return "The model reads its references, and which ones matters, but they are not told apart from none"


def _twin(gain: Difference) -> str:
    figures = f"{gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    if gain.low > 0:
        return f"It is ahead of the model trained without references, by {figures}."
    if gain.high < 0:
        return f"Yet the model trained without references is better: {figures}."
    return f"Yet it is not told apart from the model trained without references: {figures}."


def _list(kinds: list[str]) -> str:
    return " and ".join(_NAMES[kind] for kind in kinds)


def _figures(gains: dict[str, Difference], kinds: tuple[str, ...] | list[str]) -> str:
    """Gains over several kinds, e.g. "+0.1 [+0.05, +0.15] over random ones"."""
    return ", ".join(
        f"{gains[kind].mean:+.4f} [{gains[kind].low:+.4f}, {gains[kind].high:+.4f}] over {_NAMES[kind]}"
        for kind in kinds
    )

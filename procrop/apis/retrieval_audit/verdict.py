"""One sentence on what the figures say, by rules that are written down (docs/evaluation.md)."""

from .comparison import Comparison, Difference

MIN_PHOTOS = 20  # below, a bootstrap over photos gives intervals that are too narrow, or points
_NAMES = {
    "shuffled": "another photo's",
    "random": "random ones",
    "none": "none",
    "twin": "the model trained without",
}


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

    Where no photo's figure differs there is no such bound, and below MIN_PHOTOS photos (counted by what they were made
    from) no verdict. A comparison with a model that was trained without references is of these two trainings only.
    """
    gains = {kind: comparison.gain(kind) for kind in ("shuffled", "random", "none")}
    key = f"{comparison.key} on {_photos(comparison)}"
    twin = comparison.gain("twin")
    if comparison.sources < MIN_PHOTOS:
        seen = gains if twin is None else {**gains, "twin": twin}
        means = ", ".join(f"{gain.mean:+.4f} over {_NAMES[kind]}" for kind, gain in seen.items())
        return f"Too few photos for a verdict, which takes {MIN_PHOTOS} or more: {means} in {key}."
    sentence = _sentence(gains, key)
    return sentence if twin is None else f"{sentence} {_twin(twin)}"


def _photos(comparison: Comparison) -> str:
    photos, sources = comparison.photos, comparison.sources
    return f"{photos:,} photos" if photos == sources else f"{photos:,} records of {sources:,} photos"


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
            f"References {what}, but which ones does not matter ({_bound(gains, controls)}): "
            f"{_figures(gains, ('none', *controls))} in {key}."
        )
    return f"No effect of the references is seen ({_bound(gains, tuple(gains))}): " + (
        f"{_figures(gains, (*controls, 'none'))} in {key}."
    )


def _bound(gains: dict[str, Difference], kinds: tuple[str, ...]) -> str:
    """What an effect may still be where none is seen: the largest end of the intervals."""
    ends = [max(abs(gains[kind].low), abs(gains[kind].high)) for kind in kinds if gains[kind].differing]
    return f"none above {max(ends):.4f}" if ends else "no photo's figure differs, so no bound"


def _matters(none: Difference) -> str:
    if none.low > 0:
        return "The model uses what is retrieved"
    if none.high < 0:
        return "The model reads its references, and which ones matters, but it crops better without any"
    return "The model reads its references, and which ones matters, but they are not told apart from none"


def _twin(gain: Difference) -> str:
    figures = f"{_interval(gain)}; other seeds may differ."
    if gain.low > 0:
        return f"Of these two trainings it is ahead of the one without references, by {figures}"
    if gain.high < 0:
        return f"Yet of these two trainings the one without references is better: {figures}"
    return f"Yet these two trainings, with and without references, are not told apart: {figures}"


def _list(kinds: list[str]) -> str:
    return " and ".join(_NAMES[kind] for kind in kinds)


def _figures(gains: dict[str, Difference], kinds: tuple[str, ...] | list[str]) -> str:
    """Gains over several kinds, e.g. "+0.1 [+0.05, +0.15] over random ones"."""
    return ", ".join(f"{_interval(gains[kind])} over {_NAMES[kind]}" for kind in kinds)


def _interval(gain: Difference) -> str:
    if not gain.differing:
        return f"{gain.mean:+.4f} [no photo differs]"
    return f"{gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"

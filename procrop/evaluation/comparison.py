"""Several models on the same photos: scores beside floors, and the difference of each pair with intervals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from procrop.evaluation.bootstrap import Difference, differences, resampled_scores
from procrop.evaluation.measured import Measured, measure
from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.protocols.base import Protocol
from procrop.evaluation.score_table import FLOORS, aligned, as_text, floor_of, floor_value

VERSION = 1


@dataclass(frozen=True)
class Draws:
    """How the intervals are made.

    Attributes:
        resamples: Number of draws; 0 makes no intervals.
        seed: Equal seeds give equal draws.
        level: Coverage of the intervals.
        by_source: Draw original photos with all records made from them, instead of records.
    """

    resamples: int = 10_000
    seed: int = 0
    level: float = 0.95
    by_source: bool = False


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        models: Name -> what the protocols found; the floors are those of the first.
        draws: How the intervals were made.
        differences: (name, name of another model) -> score -> the first's figure less the second's.
    """

    models: Mapping[str, Measured]
    draws: Draws
    differences: Mapping[tuple[str, str], Mapping[str, Difference]]


def compare(
    protocols: Sequence[Protocol],
    models: Mapping[str, Sequence[PhotoRecord]],
    draws: Draws | None = None,
    pairs: Iterable[tuple[str, str]] | None = None,
) -> Comparison:
    """Measure models and compare each with all before it, or those of ``pairs``.

    Args:
        protocols: What to measure; their floors are computed once, since they do not depend on the model.
        models: Name -> records, the same photos in the same order for each model.
        draws: How to make the intervals.
        pairs: (name, name of the one whose figures are taken off); None compares each with all before it.

    Returns:
        The comparison.

    Raises:
        ValueError: Nothing can be measured, or a model lacks what a protocol reads.
    """
    draws = draws or Draws()
    found: dict[str, Measured] = {}
    wanted = [protocol.floors for protocol in protocols]
    try:
        for name, records in models.items():
            found[name] = measure(protocols, records)
            for protocol in protocols:
                protocol.floors = False
    finally:
        for protocol, floors in zip(protocols, wanted, strict=True):
            protocol.floors = floors
    names = list(found)
    changes: dict[tuple[str, str], dict[str, Difference]] = {}
    if len(names) > 1 and draws.resamples:
        units = [record.source_id for record in models[names[0]]] if draws.by_source else None
        tables = [found[name].tables for name in names]
        sampled = resampled_scores(tables, draws.resamples, draws.seed, units)
        drawn = dict(zip(names, sampled, strict=True))
        if pairs is None:
            pairs = [(name, less) for less, name in combinations(names, 2)]
        for name, less in pairs:
            figures = [found[less].named, found[name].named]
            pair = [drawn[less], drawn[name]]
            changes[name, less] = differences(found[name].scores, figures, pair, draws.level)
    return Comparison(found, draws, changes)


def figures_by_protocol(found: Measured) -> dict[str, dict[str, float]]:
    """Prefix of a protocol -> key -> figure, floors among them."""
    grouped: dict[str, dict[str, float]] = {}
    for protocol, means in zip(found.protocols, found.means, strict=True):
        grouped.setdefault(protocol.prefix, {}).update(means)
    return grouped


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON values: ``models``, ``floors``, ``differences`` and ``bootstrap``, keys "prefix/key"."""
    first = next(iter(comparison.models.values()))
    floors = {key: value for key, value in first.named.items() if _is_floor(key)}
    models = [
        {
            "name": name,
            "photos": found.photos,
            "excluded": found.excluded,
            "without_prediction": found.without_prediction,
            "figures": {key: value for key, value in found.named.items() if not _is_floor(key)},
        }
        for name, found in comparison.models.items()
    ]
    changes = [
        {
            "model": name,
            "less": less,
            "figures": {k: asdict(v) for k, v in found.items()},
        }
        for (name, less), found in comparison.differences.items()
    ]
    draws = asdict(comparison.draws) if comparison.differences else None
    return {
        "version": VERSION,
        "models": models,
        "floors": floors,
        "differences": changes,
        "bootstrap": draws,
    }


def _is_floor(key: str) -> bool:
    return floor_of(key.partition("/")[2]) is not None


def comparison_text(comparison: Comparison) -> str:
    """The comparison for people: one table of scores and floors, and one of differences for each pair."""
    names = list(comparison.models)
    by_model = [figures_by_protocol(found) for found in comparison.models.values()]
    used = [p for p in FLOORS if any(floor_of(key) == p for means in by_model[0].values() for key in means)]
    rows = [["", "score", *names, *(FLOORS[prefix] for prefix in used)]]
    for protocol, means in by_model[0].items():
        for key in (key for key in means if floor_of(key) is None):
            scores = [as_text(figures[protocol].get(key)) for figures in by_model]
            floors = [as_text(floor_value(means, prefix, key)) for prefix in used]
            rows.append([f"{protocol}/{key}", *scores, *floors])
    rows[0] = rows[0][1:]
    parts = [aligned(rows)]
    for (name, less), changes in comparison.differences.items():
        parts.append(_difference_text(less, name, changes, comparison.draws))
    return "\n\n".join(parts)


def _difference_text(less: str, name: str, changes: Mapping[str, Difference], draws: Draws) -> str:
    rows = [["", f"{name} - {less}", "low", "high", "p"]]
    for key, change in changes.items():
        rows.append(
            [key, *(f"{value:+.4f}" for value in (change.value, change.low, change.high)), f"{change.p:.4f}"]
        )
    unit = "original photos" if draws.by_source else "photos"
    return f"{draws.level:.0%} intervals from {draws.resamples:,} paired draws of {unit}\n{aligned(rows)}"

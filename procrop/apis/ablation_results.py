"""The figures of an ablation: means over the seeds, and differences to one variant with intervals over photos."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from procrop.evaluation.bootstrap import Difference, differences, resampled_scores
from procrop.evaluation.score_table import floor_of

from .ablation_plan import OWN, TestSet, Variant
from .ablation_records import SamePhotos, read_records
from .ablation_run import AblationRun

_COUNTS = ("photos", "excluded", "without_prediction")


@dataclass
class Row:
    """A variant on one test set.

    Attributes:
        variant: The config.
        figures: Seed -> key -> figure, as tools/test.py found them.
        differences: Key -> this variant less the reference, where photos are the same.
    """

    variant: Variant
    figures: dict[int, dict[str, float]]
    differences: dict[str, Difference] = field(default_factory=dict)

    def mean(self, key: str) -> float | None:
        """Mean over the seeds."""
        values = self._values(key)
        return math.fsum(values) / len(values) if values else None

    def spread(self, key: str) -> float | None:
        """Standard deviation over the seeds (n - 1); None for one seed."""
        values = self._values(key)
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    def _values(self, key: str) -> list[float]:
        return [found[key] for found in self.figures.values() if key in found]


@dataclass
class Group:
    """What was tested on the same photos.

    Attributes:
        title: Name of the test set.
        photos: How many photos, or None where the tests do not say.
        reference: Name of the variant that the others are compared with.
        rows: In the order of the plan.
        floors: Key of a floor -> figure, the same for all models.
        without_intervals: Why there are none, or None.
    """

    title: str
    photos: int | None
    reference: str
    rows: list[Row]
    floors: dict[str, float] = field(default_factory=dict)
    without_intervals: str | None = None

    @property
    def keys(self) -> list[str]:
        """Keys of all scores, without floors and counts."""
        found = {key: None for row in self.rows for figures in row.figures.values() for key in figures}
        return [key for key in found if _is_score(key)]


def collect(runs: Sequence[AblationRun], tests: Sequence[TestSet]) -> dict[str, tuple[TestSet, list[Row]]]:
    """What is finished: title of a test set -> the test set and a row for each variant."""
    groups: dict[str, tuple[TestSet, list[Row]]] = {}
    for test in tests:
        for run in runs:
            run.check()
            if not run.tested(test):
                continue
            title = test_title(test, run.variant)
            rows = groups.setdefault(title, (test, []))[1]
            row = next((row for row in rows if row.variant is run.variant), None)
            if row is None:
                row = Row(run.variant, {})
                rows.append(row)
            found = json.loads((run.test_folder(test) / "test_metrics.json").read_text())
            row.figures[run.seed] = {key: value for key, value in found.items() if value is not None}
    return groups


def compare(
    runs: Sequence[AblationRun], reference: str | None = None, resamples: int = 10_000, level: float = 0.95
) -> list[Group]:
    """Read all that is finished, and compare each variant with one.

    Figures of several seeds are averaged before they are compared, in each draw of the photos as well, so that the
    intervals are of the photos and not of the seeds. Whole original photos are drawn.

    Args:
        runs: All runs of the ablation.
        reference: Name of the variant to compare with; the first of the plan by default, as where it has no results on
            a test set.
        resamples: Draws of the bootstrap; 0 makes no intervals.
        level: Coverage of the intervals.

    Returns:
        A group for each test set.

    Raises:
        ValueError: No variant has this name, nothing is finished, or files of results are damaged.
    """
    plan = runs[0].plan
    names = [variant.name for variant in plan.variants]
    if reference is not None and reference not in names:
        raise ValueError(f"--reference {reference}: no such variant; there are: {', '.join(names)}")
    groups = []
    for title, (test, rows) in collect(runs, plan.tests).items():
        rows.sort(key=lambda row: names.index(row.variant.name))
        first = next((row for row in rows if row.variant.name == reference), rows[0])
        group = Group(title, _photos(first), first.variant.name, rows, _floors(first))
        if len(rows) > 1 and resamples:
            tables = {row.variant.name: {} for row in rows}
            try:
                with_records = SamePhotos(test.of(first.variant))
                for run in runs:
                    if run.variant.name in tables and run.tested(test):
                        found = read_records(run.test_folder(test), with_records)
                        tables[run.variant.name][run.seed] = found
                _add_differences(group, tables, with_records.sources, resamples, level)
            except (ValueError, OSError) as error:
                group.without_intervals = str(error)
        groups.append(group)
    if not groups:
        raise ValueError(f"{plan.out}: no finished test of these configs in it")
    return groups


def _add_differences(
    group: Group, found: Mapping[str, Mapping[int, Any]], sources: Sequence[str], resamples: int, level: float
) -> None:
    """Put the differences to the reference into the rows."""
    order = [(name, seed) for name, seeds in found.items() for seed in seeds]
    sampled = resampled_scores([found[n][s].tables for n, s in order], resamples, 0, sources)
    draws = {
        name: np.mean([d for (n, _), d in zip(order, sampled, strict=True) if n == name], axis=0)
        for name in found
    }
    means = {name: _mean_figures([m.named for m in seeds.values()]) for name, seeds in found.items()}
    first = group.reference
    keys = next(iter(found[first].values())).scores
    for row in group.rows:
        name = row.variant.name
        if name != first:
            both = [means[first], means[name]]
            row.differences = differences(keys, both, [draws[first], draws[name]], level)


def _mean_figures(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    shared = set.intersection(*(set(found) for found in figures))
    return {key: math.fsum(found[key] for found in figures) / len(figures) for key in shared}


def test_title(test: TestSet, variant: Variant) -> str:
    """What the photos of a test are called: class, folder and split of the dataset, and the part that names them."""
    dataset = (test.of(variant).get("test_dataloader") or {}).get("dataset") or {}
    words = [
        str(dataset.get(key)) for key in ("type", "data_root", "split", "tag") if dataset.get(key) is not None
    ]
    return " ".join(words) if test.name == OWN else f"{test.name}: {' '.join(words)}"


test_title.__test__ = False  # pytest takes functions of this name for its own


def _is_score(key: str) -> bool:
    name = key.rpartition("/")[2] if "/" not in key else key.partition("/")[2]
    return floor_of(name) is None and name not in _COUNTS and not key.startswith("dump/")


def _floors(row: Row) -> dict[str, float]:
    figures = next(iter(row.figures.values()))
    return {key: value for key, value in figures.items() if floor_of(key.partition("/")[2]) is not None}


def _photos(row: Row) -> int | None:
    figures = next(iter(row.figures.values()))
    counts = [
        value for key, value in figures.items() if key.endswith("/photos") and not key.startswith("dump/")
    ]
    return int(max(counts)) if counts else None

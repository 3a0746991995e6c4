"""What the mechanism study reports, and that it never passes old results off as new ones."""

import argparse
import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "mechanism.py"


@pytest.fixture(scope="module")
def mechanism():
    spec = importlib.util.spec_from_file_location("mechanism", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figures(mechanism, **changes):
    """Figures of one seed that meet every target, with changes by row name."""
    ious = {"blind ceiling": 0.73, "without references": 0.60, "retrieved references": 0.80}
    result = {name: dict(iou=ious.get(name, 0.6)) for name in ("blind ceiling", *mechanism.ROWS)}
    result["opposite-style references"] = dict(iou=0.4, iou_opposite=0.8, nearer_opposite=1.0)
    result["retrieval"] = dict(
        share={"all": 0.9, "at most 50": 0.95}, families={"all": 260, "at most 50": 50}
    )
    return result | changes


def test_all_targets_are_judged_on_the_means(mechanism):
    results = {0: figures(mechanism), 1: figures(mechanism)}
    assert [met for _, _, met, _ in mechanism.targets(results)] == [True] * 7
    text = mechanism.report(results)
    assert text.count("| met |") == 7 and "missed" not in text
    assert "| retrieved - twin | 0.200 | >= 0.10 | met |" in text


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"retrieved references": dict(iou=0.60)}, [0, 1]),
        ({"neighbour table shuffled at test": dict(iou=0.45)}, [2]),
        ({"opposite-style references": dict(iou=0.7, iou_opposite=0.7, nearer_opposite=0.5)}, [3, 4]),
        (
            {
                "retrieval": dict(
                    share={"all": 0.7, "at most 50": 0.8}, families={"all": 260, "at most 50": 50}
                )
            },
            [5, 6],
        ),
    ],
)
def test_each_target_can_be_missed(mechanism, change, missed):
    rows = mechanism.targets({0: figures(mechanism, **change)})
    assert [i for i, row in enumerate(rows) if not row[2]] == missed


def test_a_folder_of_other_settings_is_refused(mechanism, tmp_path):
    def study(epochs):
        return mechanism.Study(
            argparse.Namespace(
                out=tmp_path, families=4, test_families=2, epochs=epochs, jobs=1, model="hidden_style"
            ),
            seed=0,
        )

    study(1)
    study(1)
    with pytest.raises(SystemExit, match="other arguments"):
        study(2)

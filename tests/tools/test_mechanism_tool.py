"""What the mechanism study reports, and that it never passes old results off as new ones."""

import argparse

import pytest

from procrop.apis.mechanism import references


def figures(**changes):
    """Figures of one seed that meet every target, with changes by row name."""
    ious = {"blind ceiling": 0.73, "without references": 0.60, "retrieved references": 0.80}
    result = {name: dict(iou=ious.get(name, 0.6)) for name in ("blind ceiling", *references.ROWS)}
    result["opposite-style references"] = dict(iou=0.4, iou_opposite=0.8, nearer_opposite=1.0)
    result["retrieval"] = dict(
        share={"all": 0.9, "at most 50": 0.95}, families={"all": 260, "at most 50": 50}
    )
    return result | changes


def test_all_targets_are_judged_on_the_means():
    results = {0: figures(), 1: figures()}
    assert [met for _, _, met, _ in references.targets(results)] == [True] * 7
    text = references.report(results)
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
def test_each_target_can_be_missed(change, missed):
    rows = references.targets({0: figures(**change)})
    assert [i for i, row in enumerate(rows) if not row[2]] == missed


def test_a_folder_of_other_settings_is_refused(tmp_path):
    def study(epochs):
        return references.ReferenceStudy(
            argparse.Namespace(
                out=tmp_path, families=4, test_families=2, epochs=epochs, jobs=1, model="hidden_style"
            ),
            seed=0,
        )

    study(1)
    study(1)
    with pytest.raises(SystemExit, match="other arguments"):
        study(2)

"""Checks as steps and together: figures, reasons, order, faults."""

import json

import numpy as np
import pytest
from mmengine.config import Config
from quality_items import ON_CANVAS, ToldDetector, background, painted

from procrop.generation import CADItem, CanvasPlan, DropItem
from procrop.generation.steps.filters import (
    DuplicateSubjectFilter,
    QualityCheck,
    QualityDrop,
    QualityFilter,
    SeamFilter,
)
from procrop.registry import GENERATION_STEPS

RNG = np.random.default_rng(0)
KNOWN = (100, 60, 300, 240)


class _Noted(QualityCheck):
    """A check that notes that it was asked, and says what it is told."""

    fingerprint = "0" * 64

    def __init__(self, name, value, limit, asked):
        self.name, self.value, self.limit, self.asked = name, value, limit, asked

    def measure(self, item, rng):
        self.asked.append(self.name)
        return {f"{self.name}_value": self.value}

    def fault(self, figures):
        value = figures[f"{self.name}_value"]
        return f"{value:g} is above {self.limit:g}" if value > self.limit else None


def _seamed(step):
    image = background()
    image[60:240, 100:300] = (image[60:240, 100:300].astype(int) + step).clip(0, 255)
    return CADItem("a", 0, "a.jpg", canvas=CanvasPlan(400, 300, KNOWN), image=image)


def test_a_seam_is_dropped_and_its_absence_kept():
    kept = SeamFilter().run(_seamed(0), RNG)
    assert set(kept.quality) == {"seam_gradient", "seam_colour"} and max(kept.quality.values()) < 1.5
    with pytest.raises(
        DropItem, match=r"^seam: the edge at the photo's border is \d+\.\d\d times .*more than 2$"
    ):
        SeamFilter().run(_seamed(60), RNG)
    with pytest.raises(DropItem, match=r"^seam: the step in colour .*more than 1.5$"):
        SeamFilter(max_gradient=99, max_colour=1.5).run(_seamed(60), RNG)
    assert SeamFilter(99, 99).run(_seamed(60), RNG).quality["seam_colour"] > 3.5


def test_the_first_check_that_fails_drops_the_item_with_all_figures_so_far():
    asked = []
    checks = [_Noted("one", 1, 2, asked), _Noted("two", 5, 2, asked), _Noted("three", 5, 2, asked)]
    with pytest.raises(QualityDrop) as drop:
        QualityFilter(checks).run(painted(), RNG)
    assert asked == ["one", "two"]
    assert drop.value.reason == "two: 5 is above 2" and drop.value.check == "two"
    assert drop.value.figures == {"before": 1.0, "one_value": 1, "two_value": 5}


def test_without_dropping_everything_is_measured():
    asked = []
    checks = [_Noted("one", 5, 2, asked), _Noted("two", 1, 2, asked)]
    item = painted()
    found = QualityFilter(checks, drop=False).run(item, RNG)
    assert found.quality == {
        "before": 1.0,
        "one_value": 5,
        "failed_one": 1.0,
        "two_value": 1,
        "failed_two": 0.0,
    }
    assert item.quality == {"before": 1.0}


def test_it_is_built_from_config_and_asks_its_checks_to_close():
    detector = ToldDetector([ON_CANVAS])
    cfg = dict(
        type="QualityFilter",
        checks=[dict(type="SeamFilter", max_colour=4), dict(type="DuplicateSubjectFilter")],
    )
    step = GENERATION_STEPS.build(cfg)
    assert [type(check) for check in step.checks] == [SeamFilter, DuplicateSubjectFilter]
    assert step.checks[0].max_colour == 4 and step.makes == ("quality",)
    step = QualityFilter([DuplicateSubjectFilter(detector), SeamFilter()])
    found = step.run(painted(), RNG)
    assert {"seam_gradient", "duplicate_count", "before"} <= set(found.quality)
    # figures are plain numbers, ready for JSON
    assert json.loads(json.dumps(found.quality)) == found.quality
    # idempotent: what was measured is measured again
    assert step.run(found, RNG).quality == found.quality
    step.close()
    assert detector.closed == 1


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ([], "at least one check"),
        ([dict(type="RandomCanvas")], "RandomCanvas is another step"),
        ([dict(type="SeamFilter"), dict(type="SeamFilter", reach=20)], "different names"),
    ],
)
def test_lists_that_are_refused(checks, message):
    with pytest.raises(ValueError, match=message):
        QualityFilter(checks)


def test_faults_of_settings_and_items():
    for settings in (dict(max_gradient=0), dict(max_colour=-1), dict(reach=4)):
        with pytest.raises(ValueError, match="must be"):
            SeamFilter(**settings)
    for field in ("image", "canvas"):
        with pytest.raises(ValueError, match=f"SeamFilter needs `{field}`"):
            SeamFilter().run(painted().with_(**{field: None}), RNG)


def test_fingerprints_follow_the_checks():
    steps = [
        QualityFilter([SeamFilter()]),
        QualityFilter([SeamFilter()], drop=False),
        QualityFilter([SeamFilter(max_colour=9)]),
        QualityFilter([SeamFilter(), DuplicateSubjectFilter()]),
        QualityFilter([DuplicateSubjectFilter(), SeamFilter()]),
    ]
    assert len({step.fingerprint for step in steps}) == len(steps)
    assert QualityFilter([SeamFilter()]).fingerprint == steps[0].fingerprint


def test_shipped_filters(request, tmp_path):
    folder = request.config.rootpath / "configs" / "_base_" / "generation"
    step = GENERATION_STEPS.build(Config.fromfile(folder / "quality_embedded.py").quality_filter)
    # mirrored surroundings repeat the subject: no check of subjects may be on
    assert [check.name for check in step.checks] == ["seam"]
    checks = Config.fromfile(folder / "quality_gencrop.py").quality_filter.checks
    assert [check.type for check in checks] == ["SeamFilter", "ArtefactFilter", "OversizedSubjectFilter"]
    with pytest.raises(
        FileNotFoundError, match="weights/artefact_classifier.safetensors: no such weight file"
    ):
        GENERATION_STEPS.build(checks[1])
    with pytest.raises(FileNotFoundError, match="no such weight file"):
        GENERATION_STEPS.build(checks[2])

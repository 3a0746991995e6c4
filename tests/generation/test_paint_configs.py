"""The shipped lists of steps from photo to canvas."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from procrop.generation import CADItem
from procrop.registry import GENERATION_STEPS

FOLDER = Path(__file__).parents[2] / "configs" / "_base_" / "generation"


def _steps(name):
    return Config.fromfile(FOLDER / f"{name}.py").generation.steps


@pytest.mark.parametrize("name", ["paint_reflect", "paint_opencv"])
def test_embedded_steps_paint_a_photo(name):
    photo = np.random.default_rng(0).integers(0, 256, (300, 450, 3), dtype=np.uint8)
    item = CADItem("a", 0, "a.jpg", photo=photo)
    for number, cfg in enumerate(_steps(name)):
        step = GENERATION_STEPS.build(cfg)
        before = item
        item = step.run(item, np.random.default_rng(number))
        changed = [field for field in vars(item) if getattr(item, field) is not getattr(before, field)]
        assert changed == list(step.makes)
    assert item.image.shape == (item.canvas.height, item.canvas.width, 3)
    assert 700 <= min(item.image.shape[:2]) and max(item.image.shape[:2]) <= 1024
    assert step.stand_in


def test_the_papers_steps_name_what_their_classes_take():
    steps = _steps("paint_controlnet")
    assert [cfg.type for cfg in steps] == ["SAMMasks", "RandomCanvas", "ControlNetOutpainter"]
    for cfg in steps:
        known = inspect.signature(GENERATION_STEPS.get(cfg.type)).parameters
        assert set(cfg) - {"type"} <= set(known)
    with pytest.raises(FileNotFoundError, match="weights/sam_vit_h_4b8939.pth: no such weight file"):
        GENERATION_STEPS.build(steps[0])

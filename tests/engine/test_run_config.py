"""The text of a run's config is made once, and anew when a setting has changed."""

from copy import deepcopy

from mmengine.config import Config
from mmengine.config import config as mmengine_config

from procrop.engine.run_config import RunConfig


def test_text_is_that_of_mmengine_and_made_once(monkeypatch):
    cfg = Config(dict(a=1, model=dict(type="X", sizes=[1, 2])))
    run = deepcopy(RunConfig.of(cfg))
    assert run.pretty_text == cfg.pretty_text and isinstance(run, RunConfig) and run.model.sizes == [1, 2]
    run.model.sizes.append(3)
    cfg.model.sizes.append(3)
    assert run.pretty_text == cfg.pretty_text and "3" in run.pretty_text

    def refuse(*args, **kwargs):
        raise AssertionError("formatted again")

    monkeypatch.setattr(mmengine_config, "FormatCode", refuse)
    assert "a = 1" in run.pretty_text

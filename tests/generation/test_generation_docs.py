"""The guide to dataset generation names every step, and its tables of options are the signatures."""

import ast
import dataclasses
import inspect
import re
import sys
from pathlib import Path

import pytest

from procrop.generation.settings import GenerationSettings
from procrop.registry import GENERATION_STEPS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("generation.md", "generation_components.md", "generation_filter.md")
HEADING = re.compile(r"^#+ `(\w+)`\n(.*?)(?=^#|\Z)", re.M | re.S)
OPTION = re.compile(r"^\| `(\w+)` \| (?:`(.+?)`|required) \|", re.M)


def documented():
    """Name under a heading -> [(option, default as text or None)]."""
    found = {}
    for page in PAGES:
        for name, text in HEADING.findall((DOCS / page).read_text(encoding="utf-8")):
            assert name not in found, f"{name} has two headings"
            found[name] = [(option, default or None) for option, default in OPTION.findall(text)]
    return found


TABLES = documented()


def shipped_steps():
    GENERATION_STEPS.import_from_location()
    modules = GENERATION_STEPS.module_dict
    return {name: kind for name, kind in modules.items() if kind.__module__.startswith("procrop.generation.")}


def test_every_step_has_a_heading():
    assert set(TABLES) == {*shipped_steps(), "generation"}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_options_and_defaults_are_those_of_the_code(name):
    kind = GenerationSettings if name == "generation" else shipped_steps()[name]
    if kind.__init__ is object.__init__:
        assert TABLES[name] == []
        return
    parameters = dict(inspect.signature(kind).parameters)
    if dataclasses.is_dataclass(kind):
        parameters.pop("imports")  # not a key of `generation`: custom_imports of the file
    assert sorted(option for option, _ in TABLES[name]) == sorted(parameters)
    for option, text in TABLES[name]:
        default = parameters[option].default
        if text is None:
            assert default is inspect.Parameter.empty, option
        elif text.isidentifier() and text.isupper():
            assert default == getattr(sys.modules[kind.__module__], text), option
        else:
            assert default == ast.literal_eval(text), option


def test_the_config_that_is_shown_is_the_shipped_one():
    from mmengine.config import Config

    shown = re.search(r"```python\n(generation = .*?)```", (DOCS / "generation.md").read_text(), re.S)[1]
    shipped = Config.fromfile(DOCS.parent / "configs/cad/generate_embedded.py").generation.to_dict()
    values = {}
    exec(shown, values)
    assert Config(dict(generation=values["generation"])).generation.to_dict() == shipped

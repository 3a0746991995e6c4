"""What docs/datasets.md shows: every format has a section, every snippet builds a dataset."""

import re
from pathlib import Path

import pytest

from procrop.datasets.formats import FORMATS, get_format
from procrop.registry import DATASETS

TEXT = (Path(__file__).parents[2] / "docs/datasets.md").read_text()
SNIPPETS = re.findall(r"```python\n(dataset = dict\(.*?)```", TEXT, re.DOTALL)


def test_every_format_has_a_section():
    for name in FORMATS:
        assert f"\n## {get_format(name).title}\n" in TEXT and f"Format `{name}`" in TEXT


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippets_build(snippet):
    names = {}
    exec(snippet, names)
    dataset = DATASETS.build(names["dataset"] | dict(lazy_init=True))
    crop_format = dataset.crop_format()
    assert dataset.split in (None, *crop_format.splits)
    section = TEXT[: TEXT.index(snippet)].rsplit("\n## ", 1)[1]
    assert section.startswith(f"{crop_format.title}\n")

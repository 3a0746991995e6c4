"""FORMAT:ROOT[:SPLIT] on the command line."""

from pathlib import Path

import pytest

from procrop.datasets.formats import get_format
from procrop.datasets.formats.spec import DatasetSpec, parse_spec


@pytest.fixture
def splits(monkeypatch):
    monkeypatch.setattr(type(get_format("flms")), "splits", ("train", "test"))


@pytest.mark.parametrize(
    "text, root, split",
    [
        ("flms:data/flms", "data/flms", None),
        ("flms:data/flms:test", "data/flms", "test"),
        ("flms:/abs/a:b/flms", "/abs/a:b/flms", None),
        ("flms:/abs/a:b/flms:train", "/abs/a:b/flms", "train"),
        (r"flms:C:\data", r"C:\data", None),
    ],
)
def test_what_is_read(splits, text, root, split):
    spec = parse_spec(text)
    assert spec == DatasetSpec("flms", Path(root), split)
    assert parse_spec(str(spec)) == spec


def test_a_folder_may_end_in_a_colon_and_a_word(splits, tmp_path):
    (tmp_path / "set:val").mkdir()
    assert parse_spec(f"flms:{tmp_path}/set:val").root == tmp_path / "set:val"


@pytest.mark.parametrize(
    "text, reason",
    [
        ("flms", "FORMAT:ROOT"),
        ("flms:", "FORMAT:ROOT"),
        (":x", "FORMAT:ROOT"),
        ("gone:x", "unknown dataset format"),
        ("flms:x:val", "has no split 'val' .its splits: train, test"),
    ],
)
def test_what_is_refused(splits, text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_spec(text)


def test_it_reads(tmp_path):
    with pytest.raises(ValueError, match="500_image_dataset.mat"):
        parse_spec(f"flms:{tmp_path}").read()

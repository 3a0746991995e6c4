"""What tools/gallery.py and tools/neighbours.py say of a wrong config: one line, exit code 2, and nothing written."""

import sys
from pathlib import Path

import pytest

from procrop.apis.retrieval_config import read_retrieval_config

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

import gallery as gallery_tool  # noqa: E402
import neighbours as neighbours_tool  # noqa: E402

SHIPPED = ROOT / "configs/_base_/retrieval/efficientnet_lite0.py"


def message(tool, *args, capsys):
    assert tool.main([str(arg) for arg in args]) == 2
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    return shown


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs/_base_/retrieval").glob("*.py")), ids=lambda p: p.stem
)
def test_shipped_retrieval_configs_are_fine(path):
    assert read_retrieval_config(path)["retrieval"]["backbone"]["type"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ('backbone=dict(varaint="lite0")', "did you mean `variant`?"),
        ('backbone=dict(type="EfficientNetLiteRetrievl")', "did you mean `EfficientNetLiteRetrieval`?"),
        ('key_transform=dict(type="Normalize")', "did you mean `Normalise`?"),
        ("index=dict(factry='Flat')", "did you mean `factory`?"),
        ('token_backbone=dict(type="EfficientNetLiteRetrieval", imgsize=3)', "did you mean `image_size`?"),
        ("key_transfrom=None", "did you mean `key_transform`?"),
    ],
)
def test_gallery_refuses_a_misspelt_retrieval_config(tmp_path, capsys, wrong, words):
    config = tmp_path / "wrong.py"
    config.write_text(f"_base_ = [{str(SHIPPED)!r}]\nretrieval = dict({wrong})\n")
    (tmp_path / "photos").mkdir()
    args = ["build", tmp_path / "g", "--photos", tmp_path / "photos", "--retrieval", config]
    assert words in message(gallery_tool, *args, capsys=capsys)
    assert not (tmp_path / "g").exists()


def test_missing_config_files(tmp_path, capsys):
    missing = tmp_path / "none.py"
    args = ["build", tmp_path / "g", "--photos", tmp_path, "--retrieval", missing]
    for tool, words in ((gallery_tool, args), (neighbours_tool, [missing])):
        shown = message(tool, *words, capsys=capsys)
        assert f"{missing}: no such config file" in shown and "configs/" in shown and "Errno" not in shown


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("train_dataloader.dataset.refrences.k=3", "did you mean `references`?"),
        ("train_dataloader.dataset.references.kk=3", "did you mean `k`?"),
        ("references.k=3", "`test_dataloader.dataset.references.k`"),
        ("train_dataloader", "not key=value"),
    ],
)
def test_neighbours_refuses_misspelt_options(capsys, option, words):
    config = ROOT / "configs/procrop_toy.py"
    assert words in message(neighbours_tool, config, "--cfg-options", option, capsys=capsys)


def test_neighbours_refuses_a_misspelt_config(tmp_path, capsys):
    config = tmp_path / "wrong.py"
    toy = ROOT / "configs/procrop_toy.py"
    config.write_text(
        f"_base_ = [{str(toy)!r}]\nval_dataloader = dict(dataset=dict(references=dict(kk=3)))\n"
    )
    shown = message(neighbours_tool, config, capsys=capsys)
    assert "unknown key `kk` at `val_dataloader.dataset.references`" in shown

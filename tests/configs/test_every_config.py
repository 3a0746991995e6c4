"""Every config builds, trains an iteration and is tested, on data in the release format of its datasets."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config
from one_iteration import QuickText, train_and_test
from shrunk import runnable, shrunk

from procrop.engine.config_validation import validate_config
from procrop.engine.run_config import RunConfig
from procrop.engine.transfer import is_test_part, with_test_part

FOLDER = Path(__file__).parents[2] / "configs"
# what makes a dataset trains nothing: tests/generation has those
LEAVES = sorted(
    path
    for path in FOLDER.rglob("*.py")
    if "_base_" not in path.parts and not path.name.startswith("generate_")
)
TRAINED = FOLDER / "procrop_gaicv2.py"  # what a config without model is tested with
WITH_TEXT = FOLDER / "procrop_gaicv2_text.py"


@pytest.fixture(autouse=True)
def quick_text(monkeypatch):
    monkeypatch.setattr(RunConfig, "pretty_text", QuickText.text)


def name_of(path: Path) -> str:
    return (
        "-".join(path.relative_to(FOLDER).with_suffix("").parts) if path.is_relative_to(FOLDER) else path.stem
    )


def run(path: Path, data, smaller=shrunk) -> dict[str, float]:
    """Run a config on the drawn data."""
    cfg = Config.fromfile(path)
    validate_config(cfg)
    if is_test_part(cfg):
        cfg = with_test_part(Config.fromfile(TRAINED), cfg)
        for key in ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler"):
            cfg.pop(key)
        for key in ("val_dataloader", "val_cfg", "val_evaluator"):
            cfg.pop(key)
    cfg = smaller(cfg, name_of(path))
    data.provide(cfg)
    return train_and_test(cfg)


@pytest.mark.parametrize("path", LEAVES, ids=name_of)
def test_runs(path, data):
    run(path, data)


@pytest.mark.slow
@pytest.mark.parametrize("path", LEAVES, ids=name_of)
def test_runs_at_full_size(path, data):
    run(path, data, runnable)


REFERENCES = "train_dataloader = dict(dataset=dict(references=dict({})))"
BROKEN = {
    "no such dataset": (
        'test_dataloader = dict(dataset=dict(type="GAICDatset"))',
        "did you mean `GAICDataset`?",
    ),
    "no such key": ("model = dict(fusion=dict(num_head=4))", "did you mean `num_heads`?"),
    "no such split": ('train_dataloader = dict(dataset=dict(split="training"))', "split must be one of"),
    "samples not packed": (
        'val_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadPhoto")]))',
        "'inputs'",
    ),
    "channels of the neck": ("model = dict(neck=dict(in_channels=[1024]))", "channels"),
    "tokens of the gallery": ("model = dict(context_encoders=dict(references=dict(in_channels=99)))", "99"),
    "width of the fusion": ("model = dict(fusion=dict(embed_dims=64))", "64"),
    "crops of AVA": (REFERENCES.format('what="both"'), "no crop annotations"),
    "table of another gallery": (REFERENCES.format('gallery="data/cgl/gallery_index"'), "neighbours_ava.npz"),
    "figure of the best": (
        'default_hooks = dict(checkpoint=dict(save_best="crop_best/iou@9"))',
        "crop_best/iou@9",
    ),
    "gallery of two encoders": (
        'retrieval = dict(backbone=dict(_delete_=True, type="LineCompositionRetrieval"))',
        "several encoders",
    ),
    "text that the fusion lacks": ('model = dict(fusion=dict(contexts=("references",)))', "['text_tokens']"),
    "width of the text": (
        "model = dict(context_encoders=dict(text_tokens=dict(in_channels=99)))",
        "the model expects (m', 99)",
    ),
    "text of two encoders": (
        'text_encoder = dict(_delete_=True, type="WordTextEncoder", token_dim=5)',
        "several encoders",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_config_fails(name, data, tmp_path):
    line, words = BROKEN[name]
    path = tmp_path / "broken.py"
    base = WITH_TEXT if "text" in name else TRAINED
    path.write_text(f"_base_ = [{str(base)!r}]\n{line}\n")
    run(base, data) if "of two encoders" in name else None  # the one that has the gallery, or the text
    with pytest.raises(Exception, match=re.escape(words)):
        run(path, data)


def test_every_folder_is_searched():
    names = {name_of(path) for path in LEAVES}
    assert {"procrop_toy", "baselines-cdetr_gaicv1", "transfer-test_on_flms"} <= names
    assert len(names) == len(LEAVES)

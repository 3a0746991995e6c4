"""A checkpoint on the test set of a config that names no model."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from procrop.engine.transfer import is_test_part, with_test_part
from procrop.registry import MODELS

ROOT = Path(__file__).parents[2]
FLMS = ROOT / "configs/transfer/test_on_flms.py"


@pytest.fixture(scope="module")
def flms():
    return Config.fromfile(FLMS)


def trained(name="procrop_gaicv1", **references):
    cfg = Config.fromfile(ROOT / f"configs/{name}.py")
    if references:
        cfg.test_dataloader.dataset.references.update(references)
    return cfg


def test_parts_are_told_from_configs(flms):
    assert is_test_part(flms) and not is_test_part(trained())
    assert not is_test_part(Config.fromfile(ROOT / "configs/_base_/schedules/toy.py"))


def test_photos_are_the_parts_and_their_preparation_is_the_models(flms):
    own = trained(k=7, what="both", gallery="elsewhere")
    before = own.to_dict()
    cfg = with_test_part(own, flms)
    dataset = cfg.test_dataloader.dataset
    assert (dataset.type, dataset.data_root) == ("FLMSDataset", "data/flms")
    assert "version" not in dataset and "split" not in dataset  # of GAICD
    assert dataset.pipeline == own.test_dataloader.dataset.pipeline
    wanted = dict(gallery="data/ava/gallery_index", table="data/flms/neighbours_ava.npz", k=7, what="both")
    assert dataset.references == dict(wanted, type="LoadReferences")
    assert cfg.test_evaluator == dict(type="CropIoUDisp", ground_truth="all")
    assert cfg.model == own.model and own.to_dict() == before


@pytest.mark.parametrize("without", ["none", "no gallery"])
def test_a_model_without_references_gets_none(flms, without):
    own = trained(gallery=None, table=None) if without == "no gallery" else trained("baselines/cdetr_gaicv1")
    assert with_test_part(own, flms).test_dataloader.dataset.references is None


def test_the_text_is_the_parts_and_only_for_a_model_with_text(flms):
    own, text = trained(), dict(type="LoadTextTokens", folder="data/flms/text_blip")
    assert with_test_part(own, flms).test_dataloader.dataset.text is None
    own.test_dataloader.dataset.text = dict(text, folder="data/gaicv1/text")
    assert with_test_part(own, flms).test_dataloader.dataset.text == text
    # a part that names none gets the model's own, whose error says what is missing
    part = Config(flms.to_dict())
    part.test_dataloader.dataset.pop("text")
    assert with_test_part(own, part).test_dataloader.dataset.text.folder == "data/gaicv1/text"
    own.test_dataloader.dataset.text.folder = None
    assert with_test_part(own, part).test_dataloader.dataset.text is None


def test_annotated_crops_are_no_candidates_unless_ranked(flms):
    own = trained()
    own.test_dataloader.dataset.pipeline[-1].candidates = "annotated"
    assert with_test_part(own, flms).test_dataloader.dataset.pipeline[-1].candidates is None
    ranked = Config(dict(flms.to_dict(), test_evaluator=[dict(type="GridAccuracy")]))
    assert with_test_part(own, ranked).test_dataloader.dataset.pipeline[-1].candidates == "annotated"


def test_the_model_must_tell_how_photos_are_prepared(flms):
    with pytest.raises(ValueError, match="no test_dataloader with a pipeline"):
        with_test_part(Config(dict(model=dict(type="ProCrop"))), flms)


def test_the_tool_tests_on_another_set(toy_data, tmp_path):
    cfg = Config.fromfile(ROOT / "configs/procrop_toy.py")
    for split in ("train", "val", "test"):
        dataset = cfg[f"{split}_dataloader"].dataset
        dataset.data_root, dataset.references.gallery = "gone", str(toy_data / "gallery_index")
        dataset.references.k = 2
    cfg.model.context_encoders.references.update(in_channels=112, token_grid=(4, 4))
    with DefaultScope.overwrite_default_scope("procrop"):
        model = MODELS.build(cfg.model)
    checkpoint = tmp_path / "model.pth"
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text)), checkpoint)
    part = tmp_path / "test_on_toy.py"
    part.write_text(
        f"_base_ = [{str(ROOT / 'configs/transfer/test_on_gaicv2.py')!r}]\n"
        f"references = dict(gallery={str(toy_data / 'gallery_index')!r}, table={str(toy_data / 'neighbours.npz')!r})\n"
        f"test_dataloader = dict(num_workers=0, dataset=dict(data_root={str(toy_data)!r}, references=references))\n"
    )
    spec = importlib.util.spec_from_file_location("tool_test", ROOT / "tools/test.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    dump = tmp_path / "predictions.jsonl"
    where = ["--work-dir", str(tmp_path / "work"), "--dump", str(dump)]
    assert tool.main([str(part), str(checkpoint), *where]) == 0
    names = {path.stem for path in (toy_data / "images/test").iterdir()}
    assert {json.loads(line)["img_id"] for line in dump.read_text().splitlines()} == names
    assert "crop_best/iou@1" in json.loads((tmp_path / "work/test_metrics.json").read_text())

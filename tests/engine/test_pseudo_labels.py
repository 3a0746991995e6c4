"""Stage 2: when labels are made, that a resumed run equals an uninterrupted one, and several processes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from test_distributed import HERE, torchrun
from test_resume import assert_same, run
from tiny_labels import PHOTOS, TEST, TinyLabelledCropper, labelled, write_cad
from tiny_training import read_losses

from procrop.datasets.cad import CADDataset
from procrop.datasets.pseudo_labels import PseudoLabelError, PseudoLabelStore
from procrop.engine.checkpoint import load_checkpoint_file
from procrop.engine.label_photos import PhotoLabeller
from procrop.engine.runner import CropRunner
from procrop.registry import CURATION, HOOKS


@pytest.fixture(scope="module")
def cad(tmp_path_factory):
    return write_cad(tmp_path_factory.mktemp("cad") / "cad")


@pytest.fixture(scope="module", params=["student", "average"])
def whole(request, cad, tmp_path_factory):
    """An uninterrupted training of five epochs, labelled afresh after the second and the fourth."""
    folder = tmp_path_factory.mktemp(request.param)
    average = request.param == "average"
    run(labelled(cad, folder, dict(teacher=request.param), ema=average))
    return folder, request.param


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted((Path(folder) / "pseudo_labels").iterdir())}


def test_labels_are_made_when_it_is_time(cad, whole, tmp_path):
    folder, teacher = whole
    store = PseudoLabelStore(folder / "pseudo_labels")
    assert [(v.version, v.epoch) for v in store.versions()] == [(1, 2), (2, 4)]
    for version in store.versions():
        figures = version.figures
        assert figures["photos"] == PHOTOS and PHOTOS < figures["labels"] <= 3 * PHOTOS
        assert figures["labels"] + sum(version.rejected.values()) == 6 * PHOTOS
    assert files_of(folder)["v00001.jsonl"] != files_of(folder)["v00002.jsonl"]
    versions = [
        load_checkpoint_file(folder / f"epoch_{e}.pth")["pseudo_labels"]["version"] for e in range(1, 6)
    ]
    assert versions == [0, 0, 1, 1, 2]
    run(labelled(cad, tmp_path, ema=teacher == "average"))
    plain, ours = read_losses(tmp_path / "losses"), read_losses(folder / "losses")
    assert ours[:8] == plain[:8] and all(a != b for a, b in zip(ours[8:], plain[8:], strict=True))


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_resume_equals_uninterrupted(cad, whole, tmp_path, stop):
    """Stopped before the labels begin, just then, between two refreshes, and at the second."""
    folder, teacher = whole
    options = dict(hook=dict(teacher=teacher), ema=teacher == "average")
    run(labelled(cad, tmp_path, **options), stop_after=stop)
    run(labelled(cad, tmp_path, **options, resume="auto"))
    assert read_losses(tmp_path / "losses") == read_losses(folder / "losses")
    a, b = (load_checkpoint_file(f / "epoch_5.pth") for f in (folder, tmp_path))
    for part in (
        "state_dict",
        "optimizer",
        "pseudo_labels",
        *(["ema_state_dict"] if "ema_state_dict" in a else []),
    ):
        assert_same(a[part], b[part], part)
    assert files_of(tmp_path) == files_of(folder)


def test_resume_takes_later_labels_back(cad, whole, tmp_path):
    """From the checkpoint of an epoch before the second refresh, whose version is in the store already."""
    folder, teacher = whole
    shutil.copytree(folder, tmp_path / "run")
    for epoch in (4, 5):
        (tmp_path / f"run/epoch_{epoch}.pth").unlink()
    (tmp_path / "run/losses.0").unlink()
    cfg = labelled(cad, tmp_path / "run", dict(teacher=teacher), ema=teacher == "average", resume="auto")
    runner = CropRunner.from_cfg(cfg)
    runner.train()
    assert read_losses(tmp_path / "run/losses") == read_losses(folder / "losses")[12:]
    assert files_of(tmp_path / "run") == files_of(folder)
    log = next((tmp_path / "run").glob(f"{runner.timestamp}/*.log")).read_text()
    assert "versions 2 to 2 of pseudo labels are taken back; the training goes on from version 1" in log
    assert "pseudo labels, version 2: " in log


def test_the_average_labels_and_not_the_student(cad, whole):
    folder, teacher = whole
    checkpoint = load_checkpoint_file(folder / "epoch_2.pth")  # with an EMAHook its weights are the average
    model = TinyLabelledCropper()
    model.load_state_dict(checkpoint["state_dict"])
    if teacher == "average":
        students = {k.removeprefix("module."): v for k, v in checkpoint["ema_state_dict"].items()}
        assert not torch.equal(students["start"], checkpoint["state_dict"]["start"])
    labels, _ = labeller(cad).label(model, {})
    found = PseudoLabelStore(folder / "pseudo_labels").read(1)
    assert len(labels) == len(found) == PHOTOS
    for one in labels:
        np.testing.assert_array_equal(one.boxes, found[one.img_id].boxes)
        np.testing.assert_array_equal(one.scores, found[one.img_id].scores)
        assert one.photo == f"images/{one.img_id}.png" and one.size == (64, 48)
        assert (one.scores < 5).all()


def labeller(cad, **options):
    data = CADDataset(data_root=str(cad), split="train", pipeline=[])
    from tiny_labels import CURATION as curation

    return PhotoLabeller([data.in_test_mode(TEST)], CURATION.build(dict(curation)), **options)


def test_shares_of_processes_are_the_whole(cad):
    model = TinyLabelledCropper().train()
    one, reasons = labeller(cad, batch_size=1).label(model, {})
    assert model.training  # left as it was
    parts, counts = [], type(reasons)()
    for rank in range(3):
        share, why = labeller(cad, batch_size=1, num_workers=rank % 2).label(model, {}, rank, 3)
        parts, counts = parts + share, counts + why
    assert counts == reasons and len(parts) == PHOTOS
    lines = {labels.img_id: labels.line() for labels in one}
    assert {labels.img_id: labels.line() for labels in parts} == lines


def test_a_photo_that_cannot_be_read_is_left_out_where_that_is_wanted(cad, tmp_path):
    shutil.copytree(cad, tmp_path / "cad")
    (tmp_path / "cad/images/s1_0.png").write_bytes(b"no photo")
    found = labeller(tmp_path / "cad")
    found.datasets[0].skip_bad_photos = True
    labels, _ = found.label(TinyLabelledCropper(), {})
    assert len(labels) == PHOTOS - 1 and "s1_0" not in {one.img_id for one in labels}
    found.datasets[0].skip_bad_photos = False
    with pytest.raises(ValueError, match="s1_0.png"):
        found.label(TinyLabelledCropper(), {})


def test_a_refresh_draws_no_number(cad, whole, tmp_path):
    """Labels that all are left out change nothing."""
    none = Config(dict(type="AestheticCuration", min_score=1.0))
    run(labelled(cad, tmp_path / "none", dict(curation=none.to_dict(), num_workers=1), workers=1))
    run(labelled(cad, tmp_path / "plain", workers=1))
    assert read_losses(tmp_path / "none/losses") == read_losses(tmp_path / "plain/losses")
    assert PseudoLabelStore(tmp_path / "none/pseudo_labels").entry(2).figures["labels"] == 0


def test_a_new_training_in_an_old_folder_starts_without_labels(cad, whole, tmp_path):
    folder, teacher = whole
    shutil.copytree(folder / "pseudo_labels", tmp_path / "pseudo_labels")
    options = dict(hook=dict(teacher=teacher), ema=teacher == "average")
    run(labelled(cad, tmp_path, **options))
    assert read_losses(tmp_path / "losses") == read_losses(folder / "losses")
    assert files_of(tmp_path) == files_of(folder)


def test_a_self_distillation_teacher_can_label(cad, tmp_path):
    cfg = labelled(cad, tmp_path, dict(teacher="average"))
    cfg.custom_hooks = [dict(type="SelfDistillationHook", begin_epoch=3), *cfg.custom_hooks]
    cfg.model.type = "TinyLabelledCropper"
    TinyLabelledCropper.takes_soft_targets = True
    try:
        with pytest.raises(ValueError, match="before the teacher of the SelfDistillationHook exists"):
            CropRunner.from_cfg(cfg).train()
        cfg.custom_hooks[0].update(begin_epoch=2, beta=0.9)
        cfg.experiment_name += "again"
        run(cfg)
    finally:
        del TinyLabelledCropper.takes_soft_targets
    teacher = load_checkpoint_file(tmp_path / "epoch_4.pth")["teacher_state_dict"]
    model = TinyLabelledCropper()
    model.load_state_dict(teacher)
    found = PseudoLabelStore(tmp_path / "pseudo_labels").read(2)
    for one in labeller(cad).label(model, {})[0]:
        np.testing.assert_array_equal(one.boxes, found[one.img_id].boxes)


def test_faults_are_named_at_the_start(cad, whole, tmp_path):
    def fails(words, **options):
        cfg = labelled(cad, tmp_path / "run", **options)
        if options.get("resume"):
            cfg.resume = options["resume"]
        return cfg, pytest.raises(ValueError, match=words)

    cfg, raises = fails("no LoadPseudoLabels in the pipeline", hook={})
    del cfg.train_dataloader.dataset.pipeline[1]
    with raises:
        CropRunner.from_cfg(cfg).train()
    cfg, raises = fails("teacher='average' needs a hook", hook=dict(teacher="average"))
    with raises:
        CropRunner.from_cfg(cfg).train()
    cfg, raises = fails("no val_dataloader.dataset.pipeline", hook=dict(pipeline=None))
    with raises:
        CropRunner.from_cfg(cfg).train()
    for options in (dict(begin_epoch=-1), dict(interval=0), dict(teacher="ema"), dict(batch_size=0)):
        with pytest.raises(ValueError, match="PseudoLabelHook needs"):
            HOOKS.build(dict(type="PseudoLabelHook", **options))


def test_labels_of_another_training_are_refused(cad, whole, tmp_path):
    folder, teacher = whole
    options = dict(ema=teacher == "average", resume=str(folder / "epoch_3.pth"))
    with pytest.raises(PseudoLabelError, match="holds no version, not version 1"):
        run(labelled(cad, tmp_path / "none", dict(teacher=teacher), **options))
    store = PseudoLabelStore(tmp_path / "other")
    store.commit([], epoch=2)
    with pytest.raises(PseudoLabelError, match="is not the one that the checkpoint was trained on"):
        run(labelled(cad, tmp_path / "none", dict(teacher=teacher, folder=str(store.folder)), **options))


@pytest.mark.slow
def test_two_processes_label_like_one(cad, tmp_path):
    one, two, parts = tmp_path / "one", tmp_path / "two", tmp_path / "parts"
    for folder in (two, parts):
        folder.mkdir()
    cfg = labelled(cad, one, dict(batch_size=1), batch=2)
    cfg.model.dropout = 0.0
    run(cfg)
    torchrun(2, HERE / "tiny_labels.py", cad, two)
    torchrun(2, HERE / "tiny_labels.py", cad, parts, "--stop-after", 3)
    torchrun(2, HERE / "tiny_labels.py", cad, parts, "--resume")
    assert files_of(parts) == files_of(two)
    for rank in (0, 1):
        assert read_losses(parts / "losses", rank) == read_losses(two / "losses", rank)
    single, pair = (PseudoLabelStore(folder / "pseudo_labels") for folder in (one, two))
    assert [v.epoch for v in pair.versions()] == [2, 4]
    for version in (1, 2):
        ours, theirs = pair.read(version), single.read(version)
        assert len(ours) == PHOTOS and ours.keys() == theirs.keys()
        for name, labels in ours.items():
            np.testing.assert_allclose(labels.boxes, theirs[name].boxes, atol=0.05)

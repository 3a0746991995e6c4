"""Training of the artefact classifier: it learns, is deterministic, goes on after a cut, and refuses what it must."""

import dataclasses
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image
from sorted_photos import draw

from procrop.generation import CADItem, DropItem
from procrop.generation.artefacts import ArtefactSettings, train_artefact_filter
from procrop.generation.artefacts.figures import class_figures
from procrop.generation.artefacts.labelled_photos import held_out, labelled_photos
from procrop.generation.artefacts.trainer import ArtefactTrainer
from procrop.generation.steps.filters import ArtefactFilter
from procrop.networks import epoch_trainer
from procrop.networks.artefact_classifier import ArtefactClassifier, read_artefact_classifier

QUICK = ArtefactSettings(
    arch="tiny", epochs=8, batch_size=16, learning_rate=0.02, bad_weight=1.0, val_share=0.25
)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("sorted"))


def _train(folder, out, settings=QUICK, **more):
    return train_artefact_filter(folder, out, settings, say=lambda line: None, **more)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    return _train(folder, tmp_path_factory.mktemp("trained") / "filter.safetensors")


def test_what_can_be_told_apart_is_learned(trained):
    found = trained
    assert found.counts == {"training good": 18, "training bad": 18, "held-out good": 6, "held-out bad": 6}
    row = found.at(0.5)
    assert (row.bad_recall, row.good_recall, row.bad_precision, row.good_precision) == (1, 1, 1, 1)
    report = found.out.with_name("filter.safetensors.md").read_text()
    assert "| bad | 1.000 | 1.000 |" in report and len(re.findall(r"^\| 0\.[1-9] \|", report, re.M)) == 9
    assert (
        "Learned from 18 good and 18 bad photos, measured on 6 good and 6 bad ones of other sources" in report
    )
    # nothing but the weights and the report is left
    assert sorted(p.name for p in found.out.parent.iterdir()) == [
        "filter.safetensors",
        "filter.safetensors.md",
    ]


def test_the_filter_drops_by_the_trained_weights(trained, folder):
    step = ArtefactFilter(trained.out)
    good, bad = (
        CADItem("a", 0, "a", image=np.array(Image.open(path)))
        for path in (folder / "good" / "s00_0.png", folder / "bad" / "s00_1.png")
    )
    probability = step.run(good, RNG).quality["artefact_probability"]
    network = read_artefact_classifier(trained.out)
    square = np.array(Image.fromarray(good.image).resize((128, 128), Image.Resampling.BILINEAR))
    with torch.no_grad():
        logits = network(torch.from_numpy(square).permute(2, 0, 1)[None])[0].double()
    assert probability == pytest.approx(1 / (1 + math.exp(logits[0] - logits[1])), rel=1e-4)
    with pytest.raises(DropItem, match=r"^artefact: .*bad with probability 0\.\d\d, more than 0.5"):
        step.run(bad, RNG)
    assert ArtefactFilter(trained.out, threshold=0.999).run(bad, RNG).quality["artefact_probability"] > 0.5
    assert step.fault({"artefact_probability": float("nan")}) is not None
    steps = [step, ArtefactFilter(trained.out, threshold=0.4), ArtefactFilter(trained.out, arch="tiny")]
    assert len({s.fingerprint for s in steps}) == 3
    with pytest.raises(FileNotFoundError, match="none: no such weight file; train one"):
        ArtefactFilter("none")
    with pytest.raises(ValueError, match="threshold must be in"):
        ArtefactFilter(trained.out, threshold=1.0)
    with pytest.raises(ValueError, match="is a tiny, not a resnet50"):
        ArtefactFilter(trained.out, arch="resnet50").run(good, RNG)


def test_the_same_seed_gives_the_same_bytes_and_a_cut_run_too(trained, folder, tmp_path, monkeypatch):
    out = tmp_path / "cut.safetensors"
    stop, plain = 3, epoch_trainer.progress

    def interrupted(iterable, *args, **kwargs):
        for epoch in plain(iterable, *args, **kwargs):
            if epoch == stop:
                raise KeyboardInterrupt
            yield epoch

    monkeypatch.setattr(epoch_trainer, "_SAVE_EVERY", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(epoch_trainer, "progress", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _train(folder, out)
    assert not out.exists()
    # a cut run is not resumed under other settings
    with pytest.raises(ValueError, match="other settings or photos; leave --resume out"):
        _train(folder, out, dataclasses.replace(QUICK, seed=1), resume=True)
    seen = []
    train_artefact_filter(folder, out, QUICK, resume=True, say=seen.append)
    assert [line.split()[1] for line in seen] == [f"{i}/8" for i in range(stop + 1, 9)]
    assert out.read_bytes() == trained.out.read_bytes()
    reports = [path.with_name(f"{path.name}.md").read_text() for path in (out, trained.out)]
    assert reports[0].split("\n", 1)[1] == reports[1].split("\n", 1)[1]
    # what is finished ends at once, and is not taken for another run
    seen.clear()
    train_artefact_filter(folder, out, QUICK, resume=True, say=seen.append)
    assert not seen
    with pytest.raises(ValueError, match="cut.safetensors: exists, of a run with other settings"):
        _train(folder, out, dataclasses.replace(QUICK, seed=1), resume=True)


def test_loss_and_rate_are_those_that_are_stated(monkeypatch):
    """The first step against a plain computation; rates against the formula of a warmed-up cosine."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 128, 128, 3), dtype=np.uint8)
    bad = np.array([0, 1, 1, 0, 1, 0], bool)
    settings = dataclasses.replace(QUICK, epochs=100, batch_size=6, label_smoothing=0.2, bad_weight=7.0)
    torch.manual_seed(0)
    model = ArtefactClassifier("tiny")
    run = ArtefactTrainer(model, pixels, bad, list(range(6)), settings)
    monkeypatch.setattr(run, "_view", lambda row, epoch, mirror: pixels[row])
    with torch.no_grad():
        logits = model.train()(torch.from_numpy(pixels).permute(0, 3, 1, 2)).double().numpy()
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    weight, target = np.array([1.0, 7.0]), np.eye(2)[bad.astype(int)] * 0.8 + 0.1
    expected = -(weight * target * log_p).sum() / weight[bad.astype(int)].sum()
    assert run.run_epoch(0) == pytest.approx(expected, rel=1e-4)
    rates = [run.learning_rate(done) for done in (0, 1.5, 3, 51.5, 100)]
    assert rates == pytest.approx([0, 0.01, 0.02, 0.01, 0], abs=1e-12)
    assert ArtefactSettings().warmup_epochs == 3 and ArtefactSettings(epochs=10).warmup_epochs == 1


def test_views_are_mirrored_and_recoloured_and_nothing_moves():
    pixels = np.zeros((1, 128, 128, 3), np.uint8)
    pixels[0, 10:40, 90:120] = (200, 120, 60)
    run = ArtefactTrainer(ArtefactClassifier("tiny"), pixels, np.array([True]), [3], QUICK)
    plain, mirrored, later = run._view(0, 0, 0), run._view(0, 0, 1), run._view(0, 1, 0)
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])
    np.testing.assert_array_equal(plain, run._view(0, 0, 0))
    assert not np.array_equal(plain, later)
    lit = plain.max(axis=2) > 60
    assert lit[10:40, 90:120].all() and lit.sum() == 900


def test_figures_against_sklearn():
    from sklearn.metrics import precision_recall_fscore_support

    rng = np.random.default_rng(1)
    bad = rng.random(200) < 0.3
    probability = np.clip(0.3 + 0.4 * bad + rng.normal(0, 0.2, 200), 0, 1)
    for threshold in (0.3, 0.5, 0.7):
        row = class_figures(probability, bad, threshold)
        precision, recall, _, _ = precision_recall_fscore_support(
            bad, probability > threshold, labels=[False, True]
        )
        assert (row.good_precision, row.bad_precision) == pytest.approx(tuple(precision))
        assert (row.good_recall, row.bad_recall) == pytest.approx(tuple(recall))
        assert row.kept == pytest.approx((probability <= threshold).mean())
    assert math.isnan(class_figures(np.array([0.1]), np.array([True]), 0.5).bad_precision)


def test_photos_of_a_source_are_held_out_together(tmp_path):
    draw(tmp_path, 30)
    photos = labelled_photos(tmp_path)
    mask = held_out(photos, 0.2, 3)
    sides = {}
    for photo, out in zip(photos, mask, strict=True):
        sides.setdefault(photo.source, set()).add(bool(out))
    assert len(sides) == 30 and all(len(side) == 1 for side in sides.values())
    assert sum(side == {True} for side in sides.values()) == 6
    assert not np.array_equal(mask, held_out(photos, 0.2, 4))
    # another photo moves no other one, but for those at the edge of the share
    fewer = [p for p in photos if p.source != "s07"]
    kept = [p.source != "s07" for p in photos]
    assert (held_out(fewer, 0.2, 3) != mask[kept]).sum() <= 2
    # another pattern, other sources: by the last digit
    assert {p.source for p in labelled_photos(tmp_path, "s.(.)_.*")} == set("0123456789")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(source_pattern="(s)[0-9]+_[01]"), "48 photos of 1 sources are too few .* --source-pattern"),
        (dict(source_pattern="("), "is no regular expression"),
        (dict(source_pattern="s.*"), "needs a group"),
        (dict(out="filter.pth"), "must end in .safetensors"),
        (dict(settings=dataclasses.replace(QUICK, arch="vgg")), "arch must be one of"),
        (
            dict(settings=dataclasses.replace(QUICK, learning_rate=1e30)),
            "not a number; lower the learning rate",
        ),
        (dict(device="cuda:99"), "torch sees no CUDA device|invalid device|CUDA"),
    ],
)
def test_what_is_refused(folder, tmp_path, change, message):
    change = dict(change)
    out = tmp_path / change.pop("out", "filter.safetensors")
    with pytest.raises((ValueError, RuntimeError), match=message):
        _train(folder, out, **change)
    assert not out.exists()


def test_folders_that_cannot_be_used(folder, trained, tmp_path):
    with pytest.raises(ValueError, match="exists; give --overwrite"):
        _train(folder, trained.out)
    (tmp_path / "half" / "good").mkdir(parents=True)
    with pytest.raises(ValueError, match="half/good': the folder holds no photo"):
        _train(tmp_path / "half", tmp_path / "a.safetensors")
    with pytest.raises(
        ValueError, match="nowhere': the folder does not exist; put outpainted photos into its folders"
    ):
        _train(tmp_path / "nowhere", tmp_path / "a.safetensors")
    root = draw(tmp_path / "one", 6)
    for path in (root / "bad").iterdir():
        if "s00" not in path.name:
            path.unlink()
    with pytest.raises(ValueError, match="there is no bad photo on the (held-out|training) side"):
        _train(root, tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "settings",
    [
        dict(epochs=0), dict(batch_size=0), dict(seed=-1), dict(learning_rate=0), dict(bad_weight=0),
        dict(label_smoothing=1), dict(val_share=0),
    ],
)  # fmt: skip
def test_settings_out_of_range(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ArtefactSettings(**settings)

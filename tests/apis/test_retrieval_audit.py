"""The audit tells models that use what is retrieved from models that do not; the truth is known by construction."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gallery_photos import write_gallery_photos
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from PIL import Image
from torch import nn

from procrop.datasets.text import Caption, TextPhoto, build_text
from procrop.models.text import WordTextEncoder
from procrop.registry import MODELS
from procrop.retrieval import NeighbourTable

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

import audit_retrieval as tool  # noqa: E402

PHOTOS, WIDTH, HEIGHT = 24, 80, 60
HALVES = np.array([[0, 0, 40, 60], [40, 0, 80, 60]], float)  # best crop of style 0 and of style 1


@MODELS.register_module()
class HalfCropper(BaseModel):
    """Crops the left or the right half.

    Args:
        reads: "references": the half is the style of most of its references, the left half without any;
            "photo": that of the photo, if it has references, else the whole photo; "nothing": the whole photo;
            "spite": the half that its references do not show, the photo's own without any.
    """

    forwards, embedded, given_crops = 0, 0, False
    stop_after = None

    def __init__(self, reads="references", scores_given=False):
        super().__init__(data_preprocessor=dict(type="mmdet.DetDataPreprocessor", mean=[0] * 3, std=[1] * 3))
        self.reads, self.scores_given = reads, scores_given
        self.scale = nn.Parameter(torch.ones(()))

    def extract_feat(self, batch_inputs):
        HalfCropper.embedded += 1
        return batch_inputs.mean(dim=(1, 2, 3))

    def forward(self, inputs, data_samples=None, mode="tensor"):
        assert mode == "predict" and not self.training and len(data_samples) == 1
        if HalfCropper.stop_after is not None and HalfCropper.forwards >= HalfCropper.stop_after:
            raise OSError("the power went out")
        HalfCropper.forwards += 1
        (sample,) = data_samples
        HalfCropper.given_crops |= "candidates" in sample
        own = int(self.extract_feat(inputs)[0] > 128)
        shown = None
        if "references" in sample:
            shown = int((sample.references.ids >= 6).float().mean() > 0.5)
        half = {
            "references": shown or 0,
            "caption": int(sample.get("caption", "left") == "right"),
            "photo": None if shown is None else own,
            "nothing": None,
            "spite": own if shown is None else 1 - shown,
        }[self.reads]
        box = [0, 0, WIDTH, HEIGHT] if half is None else HALVES[half]
        sample.pred_instances = InstanceData(
            bboxes=torch.tensor(np.array([box])).float(), scores=torch.tensor([0.5])
        )
        if self.scores_given:
            sample.candidate_scores = torch.tensor([0.9, 0.1] if half == 0 else [0.1, 0.9])
        return data_samples


@pytest.fixture(scope="module")
def data(tmp_path_factory, gallery):
    """Dark photos whose best crop is the left half and bright ones with the right half, and their neighbours."""
    root = tmp_path_factory.mktemp("halves")
    rng = np.random.default_rng(0)
    for folder in ("images", "annotations"):
        (root / folder / "test").mkdir(parents=True)
    rows = []
    for number in range(PHOTOS):
        style = number % 2
        shade = np.full((HEIGHT, WIDTH, 3), 60 + 140 * style, np.uint8)
        shade[0, 0] = number  # no two files alike
        Image.fromarray(shade).save(root / "images" / "test" / f"q{number:02d}.png")
        lines = [f"{y1} {x1} {y2} {x2} {5 - 2 * (i != style)}" for i, (x1, y1, x2, y2) in enumerate(HALVES)]
        (root / "annotations" / "test" / f"q{number:02d}.txt").write_text("\n".join(lines) + "\n")
        rows.append(6 * style + rng.permutation(6)[:3])
    names = [f"q{number:02d}" for number in range(PHOTOS)]
    scores = np.tile([0.9, 0.8, 0.7], (PHOTOS, 1))
    NeighbourTable(names, rows, scores, gallery.fingerprint, gallery.content_sha256).save(root / "table.npz")
    return root


@pytest.fixture
def checkpoint(data, gallery, tmp_path):
    """A function that writes a checkpoint of a HalfCropper; its references are those of the table."""

    def write(name="model.pth", references=True, candidates=None, text=None, text_meta=None, **model):
        pack = dict(type="PackCropInputs", candidates=candidates)
        pipeline = [dict(type="LoadPhoto"), dict(type="LoadCropAnnotations"), pack]
        settings = dict(
            type="LoadReferences", gallery=str(gallery.folder), table=str(data / "table.npz"), k=3
        )
        dataset = dict(
            type="GAICDataset", data_root=str(data), split="test", test_mode=True, pipeline=pipeline
        )
        cfg = Config(
            dict(
                default_scope="procrop",
                model=dict(type="HalfCropper", **model),
                test_dataloader=dict(dataset=dict(references=settings if references else None, **dataset)),
                test_evaluator=[dict(type="CropIoUDisp", ground_truth="best", topk=[1])],
            )
        )
        if text is not None:
            cfg.test_dataloader.dataset.text = dict(type="LoadTextTokens", folder=str(text))
        if model.get("scores_given"):
            cfg.test_evaluator.append(dict(type="GridAccuracy", ns=[1], ks=[1], betas=[0.1]))
        own = dict(config=cfg.pretty_text, retrieval=None, text=text_meta)
        state = dict(scale=torch.ones(()))
        torch.save(dict(state_dict=state, meta=dict(cfg=cfg.pretty_text, procrop=own)), tmp_path / name)
        HalfCropper.forwards = HalfCropper.embedded = 0
        HalfCropper.stop_after, HalfCropper.given_crops = None, False
        return tmp_path / name

    return write


def audit(*args):
    return tool.main([str(arg) for arg in (*args, "--device", "cpu")])


def report(folder):
    return json.loads((folder / "report.json").read_text())


@pytest.mark.parametrize(
    ("reads", "words", "means"),
    [
        ("references", "The model uses what is retrieved: +", {"retrieved": 1.0, "none": 0.5}),
        (
            "photo",
            "References help, but which ones does not matter (no photo's figure differs, so no bound): +0.5000",
            {"retrieved": 1, "shuffled": 1, "none": 0.5},
        ),
        (
            "nothing",
            "No effect of the references is seen (no photo's figure differs, so no bound): +0.0000 [no photo",
            {"retrieved": 0.5, "random": 0.5, "none": 0.5},
        ),
        (
            "spite",
            "Retrieved references are worse than another photo's and random ones: -",
            {"retrieved": 0, "none": 1},
        ),
    ],
)
def test_the_verdict_is_what_the_model_does(checkpoint, tmp_path, capsys, reads, words, means):
    assert audit(checkpoint(reads=reads), "--out", tmp_path / "out") == 0
    found = report(tmp_path / "out")
    assert found["verdict"].startswith(words), found["verdict"]
    assert found["verdict"] in capsys.readouterr().out
    figures = found["figures"]["crop_best/iou@1"]
    assert figures["photos"] == PHOTOS and found["draws"] == 3
    for kind, mean in means.items():
        assert figures["means"][kind] == pytest.approx(mean, abs=1e-6), kind
    assert ("no photo differs" in (tmp_path / "out/report.md").read_text()) == (reads in ("photo", "nothing"))
    if reads == "references":
        # a photo with the other style's references gets the other half: the share of equal crops is the mean IoU
        assert 0.2 < figures["means"]["shuffled"] < 0.8 and 0.2 < figures["means"]["random"] < 0.8
        assert found["same_top_crop"]["random"] == pytest.approx(figures["means"]["random"])
        assert found["same_top_crop"]["retrieved"] == 1
        difference = figures["retrieved_minus"]["none"]
        assert difference["mean"] == pytest.approx(0.5) and 0 < difference["low"] < 0.5 < difference["high"]
    text = (tmp_path / "out" / "report.md").read_text()
    assert text.count("\n| crop_best/") == 2 * 4 and f"**{found['verdict']}**" in text
    assert Image.open(tmp_path / "out" / "differences.png").width > 300


def test_a_photo_is_embedded_once_and_predicted_with_every_kind(checkpoint, tmp_path, gallery):
    assert audit(checkpoint(), "--out", tmp_path / "out", "--seeds", 4, 7) == 0
    assert HalfCropper.forwards == 6 * PHOTOS and HalfCropper.embedded == PHOTOS
    names = ["none", "random_seed4", "random_seed7", "retrieved", "shuffled_seed4", "shuffled_seed7"]
    files = sorted((tmp_path / "out" / "predictions").iterdir())
    assert [file.name for file in files] == [f"{name}.jsonl" for name in names]
    for file in files:
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert [line["img_id"] for line in lines] == [f"q{number:02d}" for number in range(PHOTOS)]
        assert lines[0].keys() == {"img_id", "size", "boxes", "scores"} and lines[0]["size"] == [
            WIDTH,
            HEIGHT,
        ]
    retrieved = NeighbourTable.open(tmp_path / "out" / "tables" / "retrieved.npz", gallery)
    drawn = NeighbourTable.open(tmp_path / "out" / "tables" / "random_seed4.npz", gallery)
    np.testing.assert_array_equal(drawn.scores, retrieved.scores)  # only the pictures change
    assert (drawn.ids != retrieved.ids).any()


def test_an_interrupted_audit_goes_on_and_a_finished_one_does_nothing(checkpoint, tmp_path, capsys):
    out = ("--out", tmp_path / "out", "--seeds", 0)
    model = checkpoint()
    HalfCropper.stop_after = 4 * 9 + 2
    assert audit(model, *out) == 2
    part = tmp_path / "out" / "predictions" / "none.jsonl.part"
    part.write_text(part.read_text() + '{"img_id": "q09", "bo')  # torn while it was written
    HalfCropper.stop_after = None
    assert audit(model, *out) == 0
    assert HalfCropper.forwards == 4 * PHOTOS and not list((tmp_path / "out").rglob("*.part"))
    first = report(tmp_path / "out")
    assert audit(model, *out) == 0 and report(tmp_path / "out") == first
    assert HalfCropper.forwards == 4 * PHOTOS
    assert audit(model, *out, 1) == 0  # another seed: one more shuffle and one more draw
    assert HalfCropper.forwards == 6 * PHOTOS and report(tmp_path / "out")["draws"] == 2

    assert audit(model, *out, "--limit", 6) == 2
    assert "holds results of another photos; name another folder" in capsys.readouterr().err
    assert audit(model, "--out", tmp_path / "few", "--limit", 6) == 0
    few = report(tmp_path / "few")
    assert few["figures"]["crop_best/iou@1"]["photos"] == 6 and few["verdict"].startswith("Too few photos")


def test_a_twin_trained_without_references_joins_in(checkpoint, tmp_path, capsys):
    blind = checkpoint("blind.pth", references=False, reads="nothing")
    model = checkpoint()
    assert (
        audit(
            model,
            "--also",
            blind,
            "--out",
            tmp_path / "out",
            "--metrics",
            "crop_best/disp@1",
            "crop_best/iou@1",
        )
        == 0
    )
    found = report(tmp_path / "out")
    assert found["figures"]["crop_best/iou@1"]["means"]["twin"] == pytest.approx(0.5)
    # displacement is better when it is smaller: of the four edges one lies half a photo off
    assert found["figures"]["crop_best/disp@1"]["retrieved_minus"]["twin"]["mean"] == pytest.approx(-0.125)
    assert "Of these two trainings it is ahead of the one without references, by +0.1250" in found["verdict"]
    assert "other seeds may differ" in (tmp_path / "out/report.md").read_text().splitlines()[-1]
    assert (
        "in crop_best/disp@1" in found["verdict"]
        and "model trained without references" in capsys.readouterr().out
    )


def test_text_stays_as_it_is_and_must_be_of_the_models_encoder(checkpoint, tmp_path, capsys):
    """Captions name the wrong half, so that a model which reads them is always wrong, whatever its references."""
    encoder, cfg = WordTextEncoder(token_dim=4), dict(type="WordTextEncoder", token_dim=4)
    photos = [TextPhoto(f"q{i:02d}", "unread") for i in range(PHOTOS)]
    captions = {photo.id: Caption(("right", "left")[i % 2]) for i, photo in enumerate(photos)}
    text, meta = tmp_path / "text", dict(fingerprint=encoder.fingerprint, token_dim=4, config=cfg)
    build_text(text, photos, encoder, cfg, captions)
    blind = checkpoint("blind.pth", references=False, reads="nothing")
    model = checkpoint(reads="caption", text=text, text_meta=meta)
    out = ("--out", tmp_path / "out", "--seeds", 0)
    assert audit(model, *out, "--also", blind) == 0
    means = report(tmp_path / "out")["figures"]["crop_best/iou@1"]["means"]
    assert means["retrieved"] == means["shuffled"] == means["none"] == 0 and means["twin"] == 0.5
    build_text(text, photos, encoder, cfg, {"q03": Caption("right")})
    assert audit(model, *out, "--also", blind) == 2 and "another text" in capsys.readouterr().err
    model = checkpoint(reads="caption", text=text, text_meta={**meta, "fingerprint": "ab" * 32})
    assert audit(model, "--out", tmp_path / "other") == 2
    assert "trained with text tokens of the encoder abababababab" in capsys.readouterr().err


def test_models_that_score_given_crops_are_audited_too(checkpoint, tmp_path):
    assert (
        audit(checkpoint(scores_given=True), "--out", tmp_path / "out", "--metrics", "grid/acc_1/1_ties") == 0
    )
    figures = report(tmp_path / "out")["figures"]["grid/acc_1/1_ties"]
    assert figures["means"]["retrieved"] == 1 and figures["means"]["none"] == 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--metrics", "crop_best/iuo@1"],
            "no figure 'crop_best/iuo@1' from the config's evaluator; it gives: crop_best/iou@1",
        ),
        (["--limit", 1], "at least two photos"),
        (["--seeds", 1, 1], "seeds must be different"),
        (["--split", "val"], "no val_dataloader"),
        (["--cfg-options", "test_dataloader.dataset.references.k=9"], "keeps 3 neighbours, 9 wanted"),
        (["--also", "none.pth"], "none.pth: no such checkpoint"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(checkpoint, tmp_path, capsys, options, words):
    assert audit(checkpoint(), "--out", tmp_path / "out", *options) == 2
    shown = capsys.readouterr().err
    assert words in shown and "Traceback" not in shown


def test_a_model_without_references_is_refused(checkpoint, tmp_path, capsys):
    assert audit(checkpoint(references=False), "--out", tmp_path / "out") == 2
    assert "no references (gallery and table), so there is no retrieval to audit" in capsys.readouterr().err


def test_another_test_set_takes_each_models_own_pipeline(checkpoint, data, gallery, tmp_path):
    """A config that names no model; the annotated crops are given to nobody whom no evaluator asks to rank them."""
    references = dict(type="LoadReferences", gallery=str(gallery.folder), table=str(data / "table.npz"), k=9)
    dataset = dict(
        type="GAICDataset", data_root=str(data), split="test", test_mode=True, references=references
    )
    part = Config(
        dict(
            default_scope="procrop",
            test_dataloader=dict(dataset=dataset),
            test_evaluator=dict(type="CropIoUDisp", ground_truth="best", topk=[1]),
        )
    )
    part.dump(tmp_path / "part.py")
    blind = checkpoint("blind.pth", references=False, reads="nothing", candidates="annotated")
    model = checkpoint(candidates="annotated")
    assert audit(tmp_path / "part.py", model, "--also", blind, "--out", tmp_path / "out", "--seeds", 0) == 0
    found = report(tmp_path / "out")["figures"]["crop_best/iou@1"]["means"]
    assert found["retrieved"] == 1 and found["twin"] == pytest.approx(0.5)
    assert HalfCropper.given_crops is False


@pytest.mark.parametrize("config", ["procrop_toy.py", "baselines/gaic_procrop_toy.py"])
def test_procrop_is_audited_as_it_would_be_tested(untrained, gallery, tmp_path, config):
    """The toy models: what is written for retrieved references and for none is what a plain test gives."""
    from mmengine.registry import DefaultScope

    from procrop.apis.retrieval_audit import AuditSettings, audit_retrieval
    from procrop.engine.checkpoint import load_checkpoint_file, load_weights
    from procrop.engine.config_text import checkpoint_config
    from procrop.registry import DATASETS

    paths = write_gallery_photos(tmp_path / "data" / "images" / "test", 3)
    (tmp_path / "data" / "annotations").mkdir()
    for path in paths:
        (tmp_path / "data" / "annotations" / f"{path.stem}.txt").write_text("0 0 72 96 3\n8 8 60 80 4\n")
    queries = [(path.stem, path.stem, path) for path in paths]
    NeighbourTable.build(queries, gallery, 6).save(tmp_path / "table.npz")
    checkpoint = untrained(ROOT / "configs" / config, gallery, tmp_path / "model.pth")
    loaded = load_checkpoint_file(checkpoint)
    for name, weight in loaded["state_dict"].items():
        if "out_proj" in name:  # zero at the start in the anchor-based head: references would change nothing
            weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    torch.save(loaded, checkpoint)
    cfg = checkpoint_config(loaded, str(checkpoint))
    dataset = cfg.test_dataloader.dataset
    dataset.data_root = str(tmp_path / "data")
    dataset.references.update(gallery=str(gallery.folder), table=str(tmp_path / "table.npz"))
    audit_retrieval(cfg, str(checkpoint), AuditSettings(tmp_path / "out", seeds=[0]))

    with DefaultScope.overwrite_default_scope("procrop"):
        model = MODELS.build(cfg.model).eval()
    load_weights(model, load_checkpoint_file(checkpoint), strict=True)
    written = {}
    for name in ("retrieved", "none"):
        text = (tmp_path / "out" / "predictions" / f"{name}.jsonl").read_text()
        written[name] = [json.loads(line) for line in text.splitlines()]
        if name == "none":
            dataset.references = None
        with DefaultScope.overwrite_default_scope("procrop"):
            built = DATASETS.build(dataset)
        for row, line in enumerate(written[name]):
            item = built[row]
            with torch.no_grad():
                (sample,) = model.test_step({key: [value] for key, value in item.items()})
            assert ("references" in sample) == (name == "retrieved")
            np.testing.assert_allclose(line["boxes"], sample.pred_instances.bboxes.numpy(), atol=2e-3)
            np.testing.assert_allclose(line["scores"], sample.pred_instances.scores.numpy(), atol=2e-5)
    scores = [[line["scores"] for line in written[name]] for name in ("retrieved", "none")]
    assert not np.allclose(*scores, atol=1e-4)

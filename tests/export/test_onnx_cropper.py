"""An exported cropper answers as the checkpoint does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from procrop.apis.cli import main
from procrop.export import ExportError, OnnxCropper, export_cropper
from procrop.inference import CropInferencer, CropRequest, GalleryMismatchError, ReferenceChoice

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SIZES = [(300, 200), (97, 210), (256, 192), (640, 40), (33, 33)]


def photo(width, height, seed=0):
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)), np.ones((8, 8, 1)))[
        :height, :width
    ].astype(np.uint8)


def assert_same(result, expected):
    assert (result.path, result.size, result.rejected) == (expected.path, expected.size, None)
    assert expected.rejected is None and len(result.boxes) == len(expected.boxes)
    # crops of almost equal scores may change places
    order = [np.abs(result.boxes - box).max(axis=1).argmin() for box in expected.boxes]
    assert sorted(order) == list(range(len(order))) and (np.diff(result.scores) <= 0).all()
    # boxes are shares of the photo times its sides
    np.testing.assert_allclose(result.boxes[order], expected.boxes, atol=1e-4 * max(expected.size), rtol=0)
    np.testing.assert_allclose(result.scores[order], expected.scores, atol=1e-4, rtol=0)
    np.testing.assert_array_equal(result.image, expected.image)
    assert result.references == expected.references


def shaken(checkpoint):
    """The checkpoint with noise on every weight of head and contexts, so that nothing is zero and all of it counts."""
    loaded = torch.load(checkpoint, weights_only=True)
    torch.manual_seed(1)
    for name, weights in loaded["state_dict"].items():
        if not name.startswith(("backbone.", "data_preprocessor.")):
            weights += 0.05 * torch.randn_like(weights)
        if name.endswith("cls_branch.bias"):
            weights.zero_()
    torch.save(loaded, checkpoint)
    return checkpoint


@pytest.fixture(scope="module")
def exported(tmp_path_factory, untrained, gallery):
    """Checkpoint and export of a small cropper with references."""
    folder = tmp_path_factory.mktemp("detr")
    checkpoint = shaken(untrained(CONFIGS / "procrop_toy.py", gallery, folder / "model.pth"))
    done = export_cropper(checkpoint, folder / "onnx")
    assert done.difference < 1e-5
    return checkpoint, folder / "onnx"


@pytest.fixture(scope="module")
def croppers(exported, gallery):
    checkpoint, folder = exported
    return (
        OnnxCropper(folder, gallery.folder, threads=1),
        CropInferencer(checkpoint, gallery.folder, device="cpu"),
    )


@pytest.mark.parametrize("size", SIZES)
def test_it_answers_as_the_checkpoint_whatever_the_photos_size(croppers, size):
    ours, theirs = croppers
    assert_same(ours.crop(photo(*size), top_k=24), theirs.crop(photo(*size), top_k=24))


@pytest.mark.parametrize(
    "choice",
    [
        ReferenceChoice(k=1),
        ReferenceChoice(k=12),
        ReferenceChoice(k=3, pinned=("p07.png", "p01.png")),
        ReferenceChoice(k=3, pinned=("p01.png", "p07.png")),
        ReferenceChoice(k=4, banned=("p00.png",), weights={"p03.png": 3, "p07.png": 0}),
    ],
)
def test_it_answers_as_the_checkpoint_for_any_references(croppers, choice):
    request = CropRequest(top_k=24, references=choice)
    ours, theirs = (cropper.crop(photo(300, 200), request=request) for cropper in croppers)
    assert_same(ours, theirs)


def test_the_order_of_the_references_changes_nothing(croppers):
    first, second = (
        croppers[0].crop(photo(300, 200), request=CropRequest(references=ReferenceChoice(k=2, pinned=names)))
        for names in (("p07.png", "p01.png"), ("p01.png", "p07.png"))
    )
    assert [r.name for r in first.references] == ["p07.png", "p01.png"]
    np.testing.assert_allclose(first.boxes, second.boxes, atol=0.01)
    np.testing.assert_allclose(first.scores, second.scores, atol=1e-5)


@pytest.mark.parametrize(
    "request_",
    [
        CropRequest(ratio="1:1", top_k=3),
        CropRequest(size=(160, 90), max_overlap=0.9),
        CropRequest(min_area=0.5, subject=(20, 20, 120, 90)),
    ],
    ids=["ratio", "size", "subject"],
)
def test_shapes_are_scored_as_the_checkpoint_scores_them(croppers, request_):
    ours, theirs = (cropper.crop(photo(300, 200), request=request_) for cropper in croppers)
    assert_same(ours, theirs)
    np.testing.assert_allclose(ours.focal_points, theirs.focal_points, atol=0.03)


def test_no_reference_at_all_is_the_model_without_references(exported, gallery):
    """K = 0: the same as a photo whose references are all weighted away, by PyTorch."""
    checkpoint, folder = exported
    ours, theirs = (
        OnnxCropper(folder, gallery.folder),
        CropInferencer(checkpoint, gallery.folder, device="cpu"),
    )
    theirs.references = ours.references = None
    assert_same(ours.crop(photo(300, 200), top_k=24), theirs.crop(photo(300, 200), top_k=24))
    (zero,) = (t for t in ours._contexts(None, None).items() if t[0] == "reference_tokens")
    assert zero[1].shape == (1, 0, *gallery.token_shape)


def test_crops_and_references_depend_on_the_photo(croppers):
    """So that equal answers say something."""
    one, other = (croppers[0].crop(photo(300, 200, seed), top_k=24) for seed in (0, 1))
    assert np.abs(one.boxes - other.boxes).max() > 1 and np.ptp(one.boxes, axis=0).min() > 10
    without = croppers[0].crop(photo(300, 200), request=CropRequest(references=ReferenceChoice(k=1)))
    assert np.abs(one.boxes[:3] - without.boxes).max() > 0.1


def test_a_gallery_photo_is_not_its_own_reference(croppers, gallery):
    ours, theirs = (cropper.crop(gallery.photo_path(4)) for cropper in croppers)
    assert_same(ours, theirs)
    assert not {"p04.png", "p05.png"} & {reference.name for reference in ours.references}


def test_streams_and_rejects_are_as_for_the_checkpoint(croppers, tmp_path):
    (tmp_path / "empty.jpg").touch()
    photos = [photo(64, 48), tmp_path / "empty.jpg", photo(48, 64)]
    ours, theirs = (list(cropper.stream(iter(photos))) for cropper in croppers)
    assert "zero bytes" in ours[1].rejected and ours[1].rejected == theirs[1].rejected
    assert_same(ours[0], theirs[0])
    assert_same(ours[2], theirs[2])


def test_requests_that_cannot_be_met_are_refused(croppers):
    with pytest.raises(ValueError, match="predicts 24 crops per photo, top_k=25 is more"):
        croppers[0].crop(photo(64, 48), top_k=25)
    with pytest.raises(ValueError, match="works without text; leave the caption out"):
        croppers[0].crop(photo(64, 48), caption="a boat")
    with pytest.raises(ValueError, match="does not tell its attention"):
        croppers[0].crop(photo(64, 48), attention=True)


def test_a_gallery_of_another_encoder_is_refused(exported, gallery, tmp_path):
    settings = json.loads((exported[1] / "procrop.json").read_text())["extra"]
    assert settings["references"]["trained"]["fingerprint"] == gallery.fingerprint
    other = _as_if_made_by_another(gallery, tmp_path)
    with pytest.raises(GalleryMismatchError, match="made by another encoder .* make the right one"):
        OnnxCropper(exported[1], other)
    cropper = OnnxCropper(exported[1], gallery.folder)
    with pytest.raises(GalleryMismatchError, match="no such gallery"):
        cropper.use_gallery(tmp_path / "gone")
    assert cropper.references.gallery.fingerprint == gallery.fingerprint


def _as_if_made_by_another(gallery, folder):
    import shutil

    from procrop.io.manifest import sha256_json

    shutil.copytree(gallery.folder, folder / "other")
    file = folder / "other/manifest.json"
    manifest = json.loads(file.read_text())
    manifest.pop("sha256")
    manifest["fingerprint"] = "0" * 64
    file.write_text(json.dumps(manifest | {"sha256": sha256_json(manifest)}))
    return folder / "other"


def test_changed_or_unfinished_exports_are_refused(exported, tmp_path, gallery):
    import shutil

    shutil.copytree(exported[1], tmp_path / "copy")
    with open(tmp_path / "copy/model.onnx", "ab") as file:
        file.write(b"x")
    with pytest.raises(ExportError, match="model.onnx: .* bytes, but the manifest says .*--overwrite"):
        OnnxCropper(tmp_path / "copy", gallery.folder)
    (tmp_path / "copy/procrop.json").unlink()
    with pytest.raises(ExportError, match="procrop.json: not found.*procrop export CHECKPOINT --out"):
        OnnxCropper(tmp_path / "copy", gallery.folder)
    with pytest.raises(ValueError, match="no provider 'NoProvider'; it has .*CPUExecutionProvider"):
        OnnxCropper(exported[1], gallery.folder, providers=["NoProvider"])


def test_a_model_without_references_needs_no_torch(tmp_path, untrained, capsys):
    checkpoint = untrained(CONFIGS / "baselines/cdetr_toy.py", None, tmp_path / "model.pth")
    assert main(["export", str(checkpoint), "--out", str(tmp_path / "onnx")]) == 0
    assert "model.onnx: 9.1 MB, opset 17" in capsys.readouterr().out
    theirs = CropInferencer(checkpoint, device="cpu").crop(photo(90, 60), request=CropRequest(ratio="4:5"))
    code = (
        "import sys, numpy as np; from procrop.export import OnnxCropper; from procrop.inference import CropRequest\n"
        f"photo = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(60, 90, 3)\n"
        f"result = OnnxCropper({str(tmp_path / 'onnx')!r}).crop(photo, request=CropRequest(ratio='4:5'))\n"
        "heavy = {'torch', 'mmdet', 'mmcv', 'mmengine', 'onnx', 'transformers'} & set(sys.modules)\n"
        "print(repr((result.boxes.tolist(), result.scores.tolist(), heavy)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=photo(90, 60).tobytes(), capture_output=True, check=True
    )
    boxes, scores, heavy = eval(done.stdout, {"set": set})
    assert heavy == set()
    np.testing.assert_allclose(boxes, theirs.boxes, atol=0.01)
    np.testing.assert_allclose(scores, theirs.scores, atol=1e-4)
    with pytest.raises(ValueError, match="works without references; leave the gallery out"):
        OnnxCropper(tmp_path / "onnx", tmp_path)
    for folder in (tmp_path, None):
        with pytest.raises(ValueError, match="works without references; leave the gallery out"):
            OnnxCropper(tmp_path / "onnx").use_gallery(folder)

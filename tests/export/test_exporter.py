"""What an export writes, and what it refuses."""

import json
import sys

import numpy as np
import onnx
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from test_onnx_cropper import CONFIGS
from tiny_cropper import write_checkpoint

from procrop.apis.cli import main
from procrop.datasets.transforms import LoadPhoto, PackCropInputs, PhotometricDistortion, Resize
from procrop.engine.checkpoint import CheckpointError
from procrop.export import ExportError, Preprocessing, export_cropper
from procrop.io import sha256_file
from procrop.registry import MODELS


@pytest.fixture(scope="module")
def exported(tmp_path_factory, untrained, gallery):
    folder = tmp_path_factory.mktemp("export")
    checkpoint = untrained(CONFIGS / "procrop_toy.py", gallery, folder / "model.pth")
    export_cropper(checkpoint, folder / "onnx")
    return checkpoint, folder / "onnx"


def test_the_folder_says_how_to_use_it(exported, gallery):
    checkpoint, folder = exported
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.onnx",
        "procrop.json",
        "score_boxes.onnx",
    ]
    manifest = json.loads((folder / "procrop.json").read_text())
    assert manifest["fingerprint"] == sha256_file(checkpoint)
    assert manifest["files"]["model.onnx"]["sha256"] == sha256_file(folder / "model.onnx")
    settings = manifest["extra"]
    assert settings["preprocessing"] == dict(
        scale=[256, 192],
        keep_ratio=True,
        size_divisor=1,
        interpolation="bilinear",
        backend="cv2",
        reverse_channels=False,
        mean=[127.0] * 3,
        std=[128.0] * 3,
        pad_size_divisor=1,
        pad_value=0.0,
    )
    assert settings["head"] == dict(type="CropDETRHead", num_queries=24, vote_gamma=4.0)
    assert settings["references"]["trained"]["fingerprint"] == gallery.fingerprint
    assert settings["references"]["what"] == "image" and settings["text"] is None
    assert (
        settings["ratios"]["scored_by"] == "score_boxes.onnx" and "vote_gamma" in settings["ratios"]["scores"]
    )
    assert "type='CropDETRHead'" in settings["config"]


def test_the_graphs_are_sound_and_say_the_same(exported):
    settings = json.loads((exported[1] / "procrop.json").read_text())["extra"]
    for name, inputs, outputs in (
        ("model.onnx", settings["inputs"], settings["outputs"]),
        ("score_boxes.onnx", settings["score_boxes"]["inputs"], settings["score_boxes"]["outputs"]),
    ):
        graph = onnx.load(exported[1] / name, load_external_data=False)
        onnx.checker.check_model(graph, full_check=True)
        assert [(o.domain, o.version) for o in graph.opset_import] == [("", settings["opset"])]
        assert {p.key: json.loads(p.value) for p in graph.metadata_props} == {"procrop": settings}
        assert all(not tensor.external_data for tensor in graph.graph.initializer)
        for told, found in ((inputs, graph.graph.input), (outputs, graph.graph.output)):
            assert [(t["name"], t["shape"]) for t in told] == [(v.name, _shape(v)) for v in found]
        assert str(CONFIGS.parent).encode() not in (exported[1] / name).read_bytes()


def _shape(value):
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def test_equal_work_gives_equal_bytes(exported, tmp_path):
    export_cropper(exported[0], tmp_path)
    for path in exported[1].iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_an_export_is_replaced_only_where_that_is_asked_for(exported, capsys):
    checkpoint, folder = map(str, exported)
    assert main(["export", checkpoint, "--out", folder]) == 2
    assert (
        f"{folder}: holds an export; name another folder, or replace it with --overwrite"
        in capsys.readouterr().err
    )


def test_what_cannot_be_exported_is_told(tmp_path, capsys):
    with pytest.raises(CheckpointError, match="gone.pth"):
        export_cropper(tmp_path / "gone.pth", tmp_path / "onnx")
    with pytest.raises(ExportError, match="only a ProCrop can be exported, this is a TinyCropper"):
        export_cropper(write_checkpoint(tmp_path), tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_one_line(exported, tmp_path, monkeypatch, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["export", str(exported[0]), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"procrop: error: {package} is missing: pip install 'procrop[export]'\n"


def preprocessor(**options):
    with DefaultScope.overwrite_default_scope("procrop"):
        return MODELS.build(dict(type="DetDataPreprocessor") | options)


@pytest.mark.parametrize(
    ("resize", "options"),
    [
        (
            dict(scale=(256, 192), keep_ratio=True),
            dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
        ),
        (dict(scale=(1333, 600), keep_ratio=True), dict(mean=[127] * 3, std=[128] * 3, pad_size_divisor=32)),
        (dict(scale=(1344, 256), keep_ratio=True, size_divisor=32), dict(bgr_to_rgb=True)),
        (
            dict(scale=(384, 384), keep_ratio=True, size_divisor=32, backend="pillow"),
            dict(mean=[127] * 3, std=[128] * 3),
        ),
        (dict(scale=(90, 70), interpolation="area"), dict(pad_size_divisor=16, pad_value=1)),
    ],
)
def test_photos_are_prepared_bit_for_bit_as_in_the_test_pipeline(resize, options):
    steps, normalise = [LoadPhoto(), Resize(**resize), PackCropInputs()], preprocessor(**options)
    ours, pipeline = Preprocessing.of_model(steps, normalise), Compose(steps)
    assert Preprocessing.from_dict(json.loads(json.dumps(ours.to_dict()))) == ours
    rng = np.random.default_rng(0)
    for width, height in ((300, 200), (97, 211), (1, 1), (800, 1), (256, 192), (33, 1000), (701, 500)):
        photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        data = pipeline(dict(photo=photo))
        batch = normalise(dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]]), False)
        found = ours(photo)
        np.testing.assert_array_equal(found["image"], batch["inputs"].numpy())
        np.testing.assert_array_equal(found["photo_size"], [data["data_samples"].img_shape[::-1]])


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([LoadPhoto(), PhotometricDistortion(), Resize(scale=(9, 9))], "this one has PhotometricDistortion"),
        ([LoadPhoto(), PackCropInputs()], "this one resizes 0 times"),
        ([Resize(scale_factor=0.5)], "with a `scale`"),
        ([Resize(scale=(9, 9), backend="tifffile")], "pillow: bicubic, bilinear, box"),
        ([Resize(scale=(9, 9), backend="pillow", interpolation="area")], "cv2: area, bicubic, bilinear"),
    ],
)
def test_other_pipelines_are_refused(steps, message):
    with pytest.raises(ExportError, match=message):
        Preprocessing.of_model(steps, preprocessor())


@pytest.mark.slow
@pytest.mark.parametrize("config", ["procrop_gaicv2.py", "baselines/gaic_procrop_gaicv2.py"])
def test_the_papers_model_is_exported(config, tmp_path, gallery, untrained, monkeypatch):
    """ResNet-50 with random weights; its pretrained ones are not fetched."""
    from mmengine.model import BaseModule

    initialise = BaseModule.init_weights
    monkeypatch.setattr(
        BaseModule,
        "init_weights",
        lambda self: None if type(self).__name__ == "ResNet" else initialise(self),
    )
    done = export_cropper(untrained(CONFIGS / config, gallery, tmp_path / "model.pth"), tmp_path / "onnx")
    assert done.difference < 1e-4


def test_an_export_names_the_encoder_of_galleries_for_it(exported):
    from procrop.apis.retrieval_config import read_retrieval_config

    checkpoint, folder = exported
    assert read_retrieval_config(folder)["retrieval"] == read_retrieval_config(checkpoint)["retrieval"]

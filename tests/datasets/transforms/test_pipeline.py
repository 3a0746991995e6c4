"""The whole way from files to a model's input, on small generated photos in GAICD's layout."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Resize
from torch.utils.data import DataLoader

from procrop.datasets import AnnotationError, GAICDataset
from procrop.datasets.transforms import LoadCropAnnotations, LoadPhoto, PackCropInputs
from procrop.registry import TRANSFORMS

pytestmark = pytest.mark.usefixtures("procrop_scope")

TRAIN = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="LoadReferences", gallery=None, table=None),
    dict(type="PhotometricDistortion"),
    dict(type="RandomChoiceResize", scales=[(266, side) for side in range(48, 161, 16)], keep_ratio=True),
    dict(type="PackCropInputs"),
]
TEST = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="Resize", scale=(266, 120), keep_ratio=True),
    dict(type="PackCropInputs"),
]


def test_resize_means_mmcvs_class_even_where_mmdets_is_known(monkeypatch):
    monkeypatch.setitem(TRANSFORMS.parent.module_dict, "Resize", type("Resize", (), {}))
    assert issubclass(TRANSFORMS.get("Resize"), Resize)
    outer = TRANSFORMS.build(dict(type="RandomChoiceResize", scales=[(80, 60)], keep_ratio=True))
    assert isinstance(outer.resize, Resize)


def test_boxes_follow_the_resize_exactly(gaic_root):
    dataset = GAICDataset(data_root=gaic_root, pipeline=TEST, test_mode=True)
    for idx in range(len(dataset)):
        item = dataset[idx]
        sample, (channels, height, width) = item["data_samples"], item["inputs"].shape
        ori_h, ori_w = sample.ori_shape
        assert (ori_w, ori_h) == (80 + 8 * idx, 60)
        # short side 120 unless the long side would exceed 266
        scale = min(120 / min(ori_w, ori_h), 266 / max(ori_w, ori_h))
        assert (channels, height, width) == (3, round(ori_h * scale), round(ori_w * scale))
        assert item["inputs"].dtype == torch.uint8 and tuple(sample.img_shape) == (height, width)
        assert sample.scale_factor == pytest.approx((width / ori_w, height / ori_h), rel=1e-12)
        original = np.array([[20, 10, 70, 50], [0, 0, 80, 60], [5, 5, 60, 40]], dtype=np.float64)
        expected = original * np.array([width / ori_w, height / ori_h, width / ori_w, height / ori_h])
        np.testing.assert_allclose(sample.gt_instances.bboxes.numpy(), expected, rtol=1e-6)
        np.testing.assert_array_equal(sample.gt_crops.bboxes.numpy(), original)
        assert sample.gt_instances.bboxes.dtype == torch.float32
        assert sample.gt_crops.bboxes.dtype == torch.float64
        for crops in (sample.gt_instances, sample.gt_crops):
            assert crops.scores.tolist() == [4.5, 2.0, 4.0]
            assert crops.positives.tolist() == [True, False, True]
        assert sample.img_id == sample.source_id == str(idx) and sample.img_path.endswith(f"{idx}.png")
        assert "references" not in sample


def test_without_a_resize_pixels_are_the_files(gaic_root):
    item = GAICDataset(data_root=gaic_root, pipeline=[TEST[0], TEST[1], TEST[3]])[0]
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    np.testing.assert_array_equal(item["inputs"].numpy().transpose(1, 2, 0), pixels)
    assert item["inputs"].is_contiguous() and item["data_samples"].scale_factor == (1.0, 1.0)


def _run(root, workers, epoch, shuffle=False):
    dataset = GAICDataset(data_root=root, pipeline=TRAIN, seed=3)
    dataset.set_epoch(epoch)
    loader = DataLoader(dataset, num_workers=workers, shuffle=shuffle, collate_fn=lambda batch: batch)
    return {item["data_samples"].img_id: item["inputs"].numpy() for [item] in loader}


def test_random_steps_are_a_function_of_the_epoch_and_sample(gaic_root):
    expected = _run(gaic_root, workers=0, epoch=0)
    for found in (_run(gaic_root, 0, 0, shuffle=True), _run(gaic_root, 2, 0, shuffle=True)):
        assert all(np.array_equal(found[name], expected[name]) for name in expected)
    later = _run(gaic_root, 2, 1)
    assert not any(np.array_equal(later[name], expected[name]) for name in expected)
    assert len({img.shape[1] for run in (expected, later) for img in run.values()}) > 2  # short sides vary


def test_a_crop_on_the_border_is_clipped_to_the_photo(gaic_root, write_sample):
    write_sample(gaic_root, "train", "0", lines=["-1 -2 61 82 3"], size=(80, 60))
    sample = GAICDataset(data_root=gaic_root, pipeline=TEST)[0]["data_samples"]
    assert sample.gt_crops.bboxes.tolist() == [[0, 0, 80, 60]]
    assert sample.gt_instances.bboxes.tolist() == [[0, 0, 160, 120]]


def test_a_crop_far_outside_the_photo_is_named(gaic_root, write_sample):
    write_sample(gaic_root, "train", "0", lines=["0 0 60 80 3", "0 0 63 80 3"], size=(80, 60))
    with pytest.raises(AnnotationError, match=r"0\.png: 1 of 2 .*80 x 60 .*63") as caught:
        GAICDataset(data_root=gaic_root, pipeline=TEST)[0]
    assert "exchanged" not in str(caught.value)


def test_exchanged_columns_are_recognised(gaic_root, write_sample):
    write_sample(gaic_root, "train", "0", lines=["10 5 80 40 3", "0 0 80 60 3"], size=(80, 60))
    with pytest.raises(AnnotationError, match="x and y look exchanged"):
        GAICDataset(data_root=gaic_root, pipeline=TEST)[0]


def test_a_crop_that_clipping_empties_is_named():
    step = LoadCropAnnotations()
    with pytest.raises(AnnotationError, match="1 of 1"):
        step(dict(ori_shape=(60, 80), gt_bboxes=np.array([[80, 0, 82, 60]], dtype=np.float32)))


def test_samples_without_annotation_pass():
    results = LoadPhoto()(dict(photo=np.zeros((4, 6, 3), dtype=np.uint8), img_id="a"))
    results = LoadCropAnnotations()(results)
    item = PackCropInputs()(results)
    assert "gt_instances" not in item["data_samples"] and "gt_crops" not in item["data_samples"]
    assert item["data_samples"].metainfo == dict(
        img_id="a", ori_shape=(4, 6), img_shape=(4, 6), scale_factor=(1.0, 1.0)
    )
    with pytest.raises(AttributeError):
        item["data_samples"].gt_instances  # noqa: B018


def test_photo_in_memory_is_used_as_it_is(gaic_root):
    photo = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    results = LoadPhoto()(dict(photo=photo, img_path="no/such/file.jpg"))
    np.testing.assert_array_equal(results["img"], photo)
    assert results["ori_shape"] == (5, 7)


@pytest.mark.parametrize(
    "photo", [np.zeros((5, 7), np.uint8), np.zeros((5, 7, 4), np.uint8), np.zeros((5, 7, 3)), "a.jpg"]
)
def test_photo_in_memory_of_another_form_is_refused(photo):
    with pytest.raises(ValueError, match=r"must be an \(H, W, 3\) uint8"):
        LoadPhoto()(dict(photo=photo))


def test_background_and_limit_reach_the_reader(tmp_path):
    from PIL import Image

    Image.new("RGBA", (4, 3), (0, 0, 0, 0)).save(tmp_path / "a.png")
    results = LoadPhoto(background=[1, 2, 3])(dict(img_path=str(tmp_path / "a.png")))
    assert (results["img"] == [1, 2, 3]).all()
    with pytest.raises(ValueError, match="4 x 3"):
        LoadPhoto(max_pixels=11)(dict(img_path=str(tmp_path / "a.png")))


@pytest.mark.realdata
def test_the_five_real_photos(procrop_data):
    root = procrop_data / "gaicd_v1"
    resize = dict(type="Resize", scale=(1333, 600), keep_ratio=True)
    pipeline = [TEST[0], TEST[1], resize, TEST[3]]
    count = 0
    for split in ("train", "test"):
        dataset = GAICDataset(
            data_root=root, split=split, version="v1", strict=False, pipeline=pipeline, test_mode=True
        )
        for item in dataset:
            sample = item["data_samples"]
            table = np.loadtxt(root / "annotations" / f"{sample.img_id}.txt")
            np.testing.assert_array_equal(sample.gt_crops.bboxes.numpy(), table[:, [1, 0, 3, 2]])
            assert max(sample.ori_shape) == 1024 and min(sample.img_shape) == 600
            mos = table[:, 4]
            good = mos >= 4 if mos.max() >= 4 else mos == mos.max()
            assert sample.gt_crops.positives.tolist() == good.tolist()
            count += 1
    assert count == 5

"""Pseudo labels, initial crops and lesser crops as a sample gets them."""

import numpy as np
import pytest
import torch
from PIL import Image

from procrop.datasets.cad import CADDataset
from procrop.datasets.errors import AnnotationError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.datasets.pseudo_labels import PhotoLabels, PseudoLabelError, PseudoLabelStore
from procrop.datasets.records import CropRecord, CropSet
from procrop.datasets.transforms import DrawLesserCrops, LoadPseudoLabels, RandomInitialCrop
from procrop.structures import box_iou

KNOWN, INITIAL = [60.0, 40, 140, 100], [[10, 8, 190, 142], [50, 30, 170, 120]]
LABELS = [[50.0, 34, 150, 109], [20, 20, 180, 140]]
LOAD = [dict(type="LoadPhoto"), dict(type="LoadPseudoLabels"), dict(type="LoadCropAnnotations")]


@pytest.fixture
def cad(tmp_path, procrop_scope):
    """Folder of a CAD with three photos of 200 x 150 pixels, whose pixels say where they are."""
    rows, columns = np.mgrid[:150, :200].astype(np.uint8)
    Image.fromarray(np.stack([columns, rows, rows * 0], axis=2)).save(tmp_path / "p.png")
    records = [
        CropRecord(
            f"s_{n}", "p.png" if not n else f"p{n}.png", [KNOWN], [5.0], source_id="s", size=(200, 150),
            extra={"split": "train"} | ({"initial_crops": INITIAL} if n < 2 else {}),
        )
        for n in range(3)
    ]  # fmt: skip
    get_format("cad").save(CropSet("cad", records, tmp_path, Problems()), tmp_path, None, Problems())
    for record in records:
        (tmp_path / "images" / record.photo).write_bytes((tmp_path / "p.png").read_bytes())
    return tmp_path


@pytest.fixture
def store(tmp_path):
    store = PseudoLabelStore(tmp_path / "labels")
    store.commit([PhotoLabels("s_0", KNOWN, LABELS[:1], [4.0], [0.9], (200, 150))], epoch=1)
    store.commit([PhotoLabels("s_0", KNOWN, LABELS, [4.2, 3.1], [0.9, 0.5], (200, 150))], epoch=2)
    return store


def dataset(root, *steps, **kwargs):
    return CADDataset(data_root=str(root), split="train", pipeline=[*LOAD, *steps], **kwargs)


def labels_step(data):
    return next(step for step in data.pipeline.transforms if isinstance(step, LoadPseudoLabels))


def test_labels_join_as_further_positives_that_score_less(cad, store):
    data = dataset(cad)
    assert len(data[0]["gt_bboxes"]) == 1  # no version yet
    labels_step(data).set_version(store.folder, 2)
    sample = data[0]
    np.testing.assert_array_equal(sample["gt_bboxes"], [KNOWN, *LABELS])
    np.testing.assert_array_equal(sample["gt_ori_bboxes"], [KNOWN, *LABELS])
    np.testing.assert_allclose(sample["gt_scores"], [5, 4.2, 3.1], rtol=1e-6)
    assert sample["gt_positives"].tolist() == [True] * 3
    assert sample["gt_bboxes"].dtype == np.float32
    np.testing.assert_array_equal(data[1]["gt_bboxes"], [KNOWN])  # a photo without labels
    labels_step(data).set_version(store.folder, 1)
    assert len(data[0]["gt_bboxes"]) == 2
    labels_step(data).set_version(store.folder, 0)
    assert len(data[0]["gt_bboxes"]) == 1


def test_living_workers_follow_to_another_version(cad, store):
    data = dataset(cad)
    step = labels_step(data)
    loader = torch.utils.data.DataLoader(
        data, num_workers=2, persistent_workers=True, collate_fn=lambda batch: len(batch[0]["gt_bboxes"])
    )
    counts = []
    for version in (1, 2, 0):
        step.set_version(store.folder, version)
        counts.append(list(loader))
    assert counts == [[2, 1, 1], [3, 1, 1], [1, 1, 1]]


def test_a_finished_store_serves_without_a_hook(cad, store):
    kept = [dict(type="LoadPhoto"), dict(type="LoadPseudoLabels", folder=str(store.folder))]
    assert len(CADDataset(data_root=str(cad), pipeline=kept)[0]["gt_bboxes"]) == 3
    kept[1]["version"] = 1
    assert len(CADDataset(data_root=str(cad), pipeline=kept)[0]["gt_bboxes"]) == 2
    kept[1]["version"] = 5
    with pytest.raises(PseudoLabelError, match="not version 5"):
        CADDataset(data_root=str(cad), pipeline=kept)[0]
    with pytest.raises(ValueError, match="needs the folder"):
        LoadPseudoLabels(version=1)


def test_the_photo_is_one_of_its_initial_crops(cad, store):
    data = dataset(cad, dict(type="RandomInitialCrop"))
    labels_step(data).set_version(store.folder, 2)
    seen = set()
    for epoch in range(12):
        data.set_epoch(epoch)
        sample = data[0]
        height, width = sample["ori_shape"]
        x, y = sample["img"][0, 0, :2]
        window = [int(x), int(y), int(x) + width, int(y) + height]
        assert window in INITIAL and sample["img"].shape[:2] == (height, width) == sample["img_shape"]
        seen.add(tuple(window))
        shift = np.array([x, y, x, y], float)
        np.testing.assert_array_equal(sample["gt_bboxes"][0], KNOWN - shift)
        # the larger label leaves the smaller window
        kept = np.array(LABELS if window == INITIAL[0] else LABELS[:1])
        np.testing.assert_array_equal(sample["gt_ori_bboxes"][1:], kept - shift)
        assert len(sample["gt_scores"]) == len(sample["gt_positives"]) == 1 + len(kept)
        inside = np.clip(np.array(INITIAL) - shift, 0, [width, height] * 2)
        np.testing.assert_array_equal(sample["initial_crops"], inside)
    assert len(seen) == 2


def test_windows_without_a_list_keep_four_fifths_of_each_margin(cad):
    data = dataset(cad, dict(type="RandomInitialCrop"))
    edges = []
    for epoch in range(200):
        data.set_epoch(epoch)
        sample = data[2]
        x, y = map(int, sample["img"][0, 0, :2])
        height, width = sample["ori_shape"]
        edges.append([x, y, x + width, y + height])
        np.testing.assert_array_equal(sample["gt_bboxes"][0], np.array(KNOWN) - [x, y, x, y])
    least, most = np.min(edges, axis=0), np.max(edges, axis=0)
    assert (least >= [0, 0, 188, 140]).all() and (most <= [12, 8, 200, 150]).all()
    assert (most - least >= [9, 5, 9, 7]).all()


def test_the_whole_photo_stays_when_asked(cad):
    data = dataset(cad, dict(type="RandomInitialCrop", whole_prob=1.0))
    assert data[0]["img"].shape == (150, 200, 3) and data[0]["ori_shape"] == (150, 200)
    with pytest.raises(ValueError, match="whole_prob"):
        RandomInitialCrop(whole_prob=2)


def test_initial_crops_that_are_none_are_named(cad):
    file = cad / "annotations.jsonl"
    file.write_text(file.read_text().replace("[10, 8, 190, 142]", "[10, 8, 190]"))
    with pytest.raises(AnnotationError, match="'initial_crops' of 's_0' must be .*, each of a list"):
        dataset(cad)
    file.write_text(file.read_text().replace("[10, 8, 190]", "[10, 8, 190, 142]"))
    assert "subject_bbox" not in dataset(cad).get_data_info(0)
    file.write_text(
        file.read_text().replace('"initial_crops"', '"subject": [1, 2, 30, 40.5], "initial_crops"')
    )
    assert dataset(cad).get_data_info(0)["subject_bbox"].tolist() == [1, 2, 30, 40.5]
    file.write_text(file.read_text().replace("[1, 2, 30, 40.5]", "[30, 2, 1, 40]"))
    with pytest.raises(AnnotationError, match="'subject' of 's_0' must be .* with an area$"):
        dataset(cad)


def test_lesser_crops_lie_in_the_best_one_and_are_packed(cad, store):
    steps = [
        dict(type="Resize", scale=(100, 75), keep_ratio=True),
        dict(type="DrawLesserCrops", num=50, scale=(0.3, 0.95)),
        dict(type="PackCropInputs"),
    ]
    data = dataset(cad, *steps)
    labels_step(data).set_version(store.folder, 2)
    boxes = data[0]["data_samples"].lesser_crops.bboxes.numpy()
    best = np.array(KNOWN) / 2
    windows, initial = boxes[:-2], boxes[-2:]
    np.testing.assert_allclose(initial, np.array(INITIAL) / 2)
    assert 40 < len(windows) <= 50  # but those that hardly differ
    assert (windows[:, :2] >= best[:2] - 1e-4).all() and (windows[:, 2:] <= best[2:] + 1e-4).all()
    shares = (windows[:, 2:] - windows[:, :2]) / (best[2:] - best[:2])
    assert shares.min() >= 0.3 - 1e-5 and shares.max() <= 0.95 + 1e-5 and np.ptp(shares) > 0.5
    assert box_iou(boxes, best[None]).max() <= 0.85
    again, other = data[0]["data_samples"].lesser_crops.bboxes, data[1]["data_samples"].lesser_crops.bboxes
    np.testing.assert_array_equal(again, boxes)
    assert len(other) != len(boxes) or not np.array_equal(other, boxes)
    with pytest.raises(ValueError, match="scale"):
        DrawLesserCrops(scale=(0, 1))


def test_in_test_mode_a_dataset_shares_its_annotations(cad):
    data = dataset(cad, dict(type="RandomInitialCrop"))
    test = data.in_test_mode([dict(type="LoadPhoto"), dict(type="LoadCropAnnotations")])
    assert test.test_mode and not data.test_mode
    assert test[0]["img"].shape == (150, 200, 3) and data[0]["img"].shape != (150, 200, 3)
    assert test.data_bytes is data.data_bytes


def test_photos_of_one_source_know_it(cad):
    assert {dataset(cad).get_data_info(i)["source_id"] for i in range(3)} == {"s"}

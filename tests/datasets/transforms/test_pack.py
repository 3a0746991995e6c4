"""Packing of the boxes that a model is given to score."""

import numpy as np
import pytest
import torch

from procrop.datasets.transforms import PackCropInputs


def results(**annotation):
    return dict(img=np.zeros((6, 8, 3), np.uint8), img_shape=(6, 8), ori_shape=(12, 16), **annotation)


def test_annotated_candidates_are_all_crops_in_the_models_pixels():
    boxes = np.array([[0, 0, 4, 3], [1, 1, 8, 6]], np.float32)
    annotation = dict(
        gt_bboxes=boxes, gt_ori_bboxes=boxes * 2.0, gt_scores=[1.5, 4], gt_positives=[False, True]
    )
    sample = PackCropInputs(candidates="annotated")(results(**annotation))["data_samples"]
    assert torch.equal(sample.candidates.bboxes, torch.from_numpy(boxes))
    assert sample.candidates.rows.tolist() == [0, 1]
    assert len(sample.gt_crops) == 2
    assert "candidates" not in PackCropInputs()(results(**annotation))["data_samples"]


def test_a_photo_without_annotation_has_no_candidates():
    assert "candidates" not in PackCropInputs(candidates="annotated")(results())["data_samples"]


def test_other_words_are_refused():
    with pytest.raises(ValueError, match="'grid'"):
        PackCropInputs(candidates="grid")

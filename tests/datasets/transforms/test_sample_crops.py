"""A training step sees some of a photo's crops, chosen by seed, epoch and photo alone."""

import numpy as np
import pytest

from procrop.datasets import GAICDataset
from procrop.datasets.transforms import SampleCrops

LINES = [f"{i} {2 * i} 50 70 {1 + i / 10:.1f}" for i in range(20)]


def crops(n):
    boxes = np.arange(4 * n, dtype=np.float32).reshape(n, 4)
    return dict(
        gt_bboxes=boxes,
        gt_ori_bboxes=boxes.astype(np.float64) * 2,
        gt_scores=np.arange(n, dtype=np.float32),
        gt_positives=np.arange(n) % 2 == 0,
    )


def test_rows_stay_together_and_in_order():
    out = SampleCrops(num=7)(crops(30))
    rows = out["gt_scores"].astype(int)
    assert len(set(rows)) == 7 and (np.diff(rows) > 0).all()
    for key, value in crops(30).items():
        np.testing.assert_array_equal(out[key], value[rows])


def test_few_crops_or_none_pass():
    out = SampleCrops(num=7)(crops(7))
    np.testing.assert_array_equal(out["gt_scores"], np.arange(7))
    assert SampleCrops()(dict(img=1)) == dict(img=1)
    with pytest.raises(ValueError, match="num=0"):
        SampleCrops(num=0)


def test_every_crop_is_drawn_equally_often():
    np.random.seed(0)
    drawn = np.concatenate([SampleCrops(num=5)(crops(20))["gt_scores"] for _ in range(2000)])
    counts = np.bincount(drawn.astype(int), minlength=20)
    assert abs(counts - 500).max() < 5 * np.sqrt(500 * 0.75)


@pytest.mark.usefixtures("procrop_scope")
def test_the_draw_depends_on_seed_epoch_and_photo_only(tmp_path, write_sample):
    for name in "ab":
        write_sample(tmp_path, "train", name, lines=LINES)
    pipeline = [dict(type=step) for step in ("LoadPhoto", "LoadCropAnnotations")]
    pipeline += [dict(type="SampleCrops", num=6), dict(type="PackCropInputs")]

    def drawn(order, epoch=0, seed=0):
        dataset = GAICDataset(data_root=tmp_path, pipeline=pipeline, seed=seed)
        dataset.set_epoch(epoch)
        return {i: dataset[i]["data_samples"].gt_instances.scores.tolist() for i in order}

    first = drawn([0, 1])
    assert len(first[0]) == 6 and first == drawn([1, 0])
    assert first[0] != first[1]  # another photo, epoch or seed: another draw
    assert first != drawn([0, 1], epoch=1) and first != drawn([0, 1], seed=1)

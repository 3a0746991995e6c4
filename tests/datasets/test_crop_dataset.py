"""Random draws of a pipeline: a function of (seed, epoch, sample), whoever makes them; and bad photos in training."""

import pickle
import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from procrop.datasets import CropDataset, GAICDataset
from procrop.io import PhotoError


class Draw:
    """Return what the three global generators give."""

    def __call__(self, results):
        return results["img_id"], random.random(), np.random.random(), torch.rand(()).item()


class Numbers(CropDataset):
    """Samples without files; their order is a parameter."""

    def __init__(self, names, **kwargs):
        self.names = names
        super().__init__(pipeline=[Draw()], **kwargs)

    def load_data_list(self):
        return [dict(img_id=name) for name in self.names]


NAMES = [f"photo{number}" for number in range(9)]


def _draws(dataset):
    return {name: values for name, *values in (dataset[i] for i in range(len(dataset)))}


def test_draws_do_not_depend_on_order_or_earlier_draws():
    forward = _draws(Numbers(NAMES))
    torch.manual_seed(77), np.random.seed(5), random.seed(3)
    assert _draws(Numbers(NAMES[::-1])) == forward
    assert len({tuple(values) for values in forward.values()}) == len(NAMES)


def test_draws_depend_on_seed_epoch_and_sample():
    dataset = Numbers(NAMES)
    first = _draws(dataset)
    dataset.set_epoch(1)
    second = _draws(dataset)
    assert all(first[name][i] != second[name][i] for name in NAMES for i in range(3))
    dataset.set_epoch(0)
    assert _draws(dataset) == first
    assert _draws(Numbers(NAMES, seed=1))["photo0"] != first["photo0"]


def test_global_generators_are_left_as_they_were():
    dataset = Numbers(NAMES)
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    expected = random.random(), np.random.random(), torch.rand(()).item()
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    dataset[0]
    assert (random.random(), np.random.random(), torch.rand(()).item()) == expected


def test_global_generators_are_left_as_they_were_after_an_error():
    dataset = Numbers(NAMES)

    def fail(results):
        np.random.random()
        raise PhotoError("a.jpg", "the file is empty", "copy it again")

    dataset.pipeline.transforms = [fail]
    np.random.seed(2)
    expected = np.random.random()
    np.random.seed(2)
    with pytest.raises(PhotoError):
        dataset[0]
    assert np.random.random() == expected


@pytest.mark.parametrize("workers,persistent", [(0, False), (2, False), (2, True)])
def test_draws_do_not_depend_on_workers_and_follow_the_epoch(workers, persistent):
    dataset = Numbers(NAMES)
    loader = DataLoader(
        dataset, num_workers=workers, persistent_workers=persistent, shuffle=True, collate_fn=list
    )
    for epoch in (0, 1, 2):  # persistent workers have to hear of the epoch while they run
        dataset.set_epoch(epoch)
        found = {name: values for batch in loader for name, *values in batch}
        alone = Numbers(NAMES)
        alone.set_epoch(epoch)
        assert found == _draws(alone)


def test_copies_keep_seed_and_epoch():
    dataset = Numbers(NAMES, seed=4)
    dataset.set_epoch(6)
    subset, copy = dataset.get_subset([2, 1]), pickle.loads(pickle.dumps(dataset))
    expected = _draws(dataset)
    assert _draws(subset) == {name: expected[name] for name in ("photo2", "photo1")}
    assert copy.epoch == 6 and _draws(copy) == expected
    subset.set_epoch(1)
    assert dataset.epoch == 6


PIPELINE = [dict(type="LoadPhoto"), dict(type="LoadCropAnnotations"), dict(type="PackCropInputs")]


@pytest.fixture
def broken_root(gaic_root, procrop_scope):
    (gaic_root / "images/train/2.png").write_bytes(b"no photo")
    return gaic_root


def test_a_bad_photo_is_an_error_that_names_the_file(broken_root):
    dataset = GAICDataset(data_root=broken_root, pipeline=PIPELINE)
    with pytest.raises(PhotoError, match=r"images/train/2\.png.*no image"):
        dataset[2]
    loader = DataLoader(dataset, num_workers=1, collate_fn=list)
    with pytest.raises(PhotoError, match=r"images/train/2\.png"):
        list(loader)


def test_a_bad_photo_can_be_replaced_reproducibly(broken_root):
    dataset = GAICDataset(data_root=broken_root, pipeline=PIPELINE, skip_bad_photos=True)
    names = []
    for epoch in range(6):
        dataset.set_epoch(epoch)
        names.append(dataset[2]["data_samples"].img_id)
        again = GAICDataset(data_root=broken_root, pipeline=PIPELINE, skip_bad_photos=True)
        again.set_epoch(epoch)
        assert again[2]["data_samples"].img_id == names[-1]
    assert "2" not in names and len(set(names)) > 1
    assert dataset.num_skipped >= 6
    assert dataset[1]["data_samples"].img_id == "1"


def test_an_annotation_of_another_photo_can_be_replaced_too(gaic_root, write_sample, procrop_scope):
    write_sample(gaic_root, "train", "2", lines=["0 0 500 500 3"])
    dataset = GAICDataset(data_root=gaic_root, pipeline=PIPELINE, skip_bad_photos=True)
    assert dataset[2]["data_samples"].img_id != "2" and dataset.num_skipped == 1


def test_no_replacement_in_tests_and_when_all_photos_are_bad(broken_root):
    dataset = GAICDataset(data_root=broken_root, pipeline=PIPELINE, skip_bad_photos=True, test_mode=True)
    with pytest.raises(PhotoError, match=r"2\.png"):
        dataset[2]
    for path in (broken_root / "images/train").iterdir():
        path.write_bytes(b"no photo")
    dataset = GAICDataset(data_root=broken_root, pipeline=PIPELINE, skip_bad_photos=True)
    with pytest.raises(PhotoError, match=r"2\.png"):
        dataset[2]

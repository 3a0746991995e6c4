"""The sample of one photo: fields, their kinds, and the dictionary that metrics get."""

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, InstanceData

from procrop.structures import CropDataSample

INSTANCE_FIELDS = ["gt_instances", "gt_crops", "candidates", "references", "pred_instances"]


@pytest.mark.parametrize("name", INSTANCE_FIELDS)
def test_instance_fields_are_set_read_and_dropped(name):
    sample = CropDataSample(metainfo={"img_id": "a"})
    assert name not in sample
    with pytest.raises(AttributeError):
        getattr(sample, name)
    setattr(sample, name, InstanceData(bboxes=torch.ones(2, 4)))
    assert name in sample and getattr(sample, name).bboxes.shape == (2, 4)
    with pytest.raises(AssertionError):
        setattr(sample, name, torch.ones(2, 4))
    delattr(sample, name)
    assert name not in sample


def test_dictionary_form_has_the_public_names_and_nested_dictionaries():
    sample = CropDataSample(metainfo={"img_id": "a", "ori_shape": (10, 20)})
    sample.pred_instances = InstanceData(bboxes=torch.ones(2, 4), scores=torch.tensor([0.5, 0.25]))
    sample.gt_crops = InstanceData(bboxes=np.ones((3, 4)), scores=np.arange(3.0))
    sample.condition = BaseDataElement(aspect_ratio=1.5)
    sample.text_tokens = torch.zeros(5, 7)
    plain = sample.to_dict()
    assert set(plain) == {"img_id", "ori_shape", "pred_instances", "gt_crops", "condition", "text_tokens"}
    assert plain["pred_instances"]["scores"].tolist() == [0.5, 0.25]
    assert plain["gt_crops"]["bboxes"].dtype == np.float64
    assert plain["condition"] == {"aspect_ratio": 1.5}


def test_references_keep_their_kinds_when_the_sample_moves():
    sample = CropDataSample()
    sample.references = InstanceData(
        ids=torch.arange(3),
        tokens=torch.zeros(3, 4, 8, dtype=torch.float16),
        mask=torch.tensor([False, False, True]),
    )
    moved = sample.to("cpu").clone()
    assert moved.references.tokens.dtype == torch.float16
    assert moved.references.ids.dtype == torch.int64
    assert moved.references.mask.tolist() == [False, False, True]

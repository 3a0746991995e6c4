"""Self-distillation: the teacher, and the loss that follows it."""

import copy

import numpy as np
import pytest
import torch
from builders import build, head_cfg, photos, procrop_cfg, references, sample
from fusion_variants import feature_maps, variant

from procrop.models.heads import SoftTargets
from procrop.models.utils import SelfTeacher


def focal_sum(logits, targets):
    """Sum of alpha_t (1 - p_t)^2 BCE(p, t) in float64: p_t = p t + (1-p)(1-t), alpha_t = t / 4 + 3 (1-t) / 4."""
    p = 1 / (1 + np.exp(-logits))
    p_t = p * targets + (1 - p) * (1 - targets)
    alpha_t = 0.25 * targets + 0.75 * (1 - targets)
    return float((alpha_t * (1 - p_t) ** 2 * -(targets * np.log(p) + (1 - targets) * np.log(1 - p))).sum())


def test_loss_is_half_the_labels_and_half_the_teacher():
    """Values and gradients of every layer; the hard half is what the head gives without a teacher."""
    torch.manual_seed(0)
    head = build(head_cfg())
    samples = [sample(), sample(crops=[[30.0, 4.0, 90.0, 60.0], [0.0, 0.0, 40.0, 40.0]])]
    logits, boxes = torch.randn(2, 2, 5, requires_grad=True), torch.rand(2, 2, 5, 4) * 0.4 + 0.3
    scores = torch.rand(2, 5)
    hard = head.loss_by_feat(logits, boxes, samples)
    mixed = head.loss_by_feat(logits, boxes, samples, SoftTargets(scores, 0.5))
    z, t = logits.detach().double().numpy(), scores.double().numpy()
    for layer, name in enumerate(("d0.loss_cls", "loss_cls")):
        soft = 2 * focal_sum(z[layer], t) / 2  # weight of the loss, over two positive crops
        assert float(mixed[name]) == pytest.approx(0.5 * float(hard[name]) + 0.5 * soft, rel=1e-5)
        (grad,) = torch.autograd.grad(mixed[name], logits, retain_graph=True)
        (hard_grad,) = torch.autograd.grad(hard[name], logits, retain_graph=True)
        expected = np.zeros_like(z)
        for index in np.ndindex(z[layer].shape):
            step = np.zeros_like(z[layer])
            step[index] = 1e-5
            expected[(layer, *index)] = (focal_sum(z[layer] + step, t) - focal_sum(z[layer] - step, t)) / 2e-5
        np.testing.assert_allclose(grad, 0.5 * hard_grad + 0.5 * expected, atol=1e-5)
    same = ("loss_bbox", "loss_iou", "d0.loss_bbox", "d0.loss_iou")
    assert all(torch.equal(hard[name], mixed[name]) for name in same)


def test_teacher_follows_by_the_formula():
    torch.manual_seed(0)
    student = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    student[1].weight.requires_grad_(False)
    teacher = SelfTeacher(student, beta=0.8)
    expected = {name: p.detach().double().clone() for name, p in student.named_parameters()}
    for _ in range(3):
        with torch.no_grad():
            student[0].weight += torch.randn(2, 3)
            student[1].running_mean += 1
        teacher.update(student)
        for name, p in student.named_parameters():
            expected[name] = 0.8 * expected[name] + 0.2 * p.detach().double()
    for name, p in teacher.model.named_parameters():
        torch.testing.assert_close(p.double(), expected[name], atol=1e-6, rtol=1e-6)
    assert torch.equal(teacher.model[1].weight, student[1].weight)
    assert torch.equal(teacher.model[1].running_mean, student[1].running_mean)
    assert not torch.equal(teacher.model[0].weight, student[0].weight)


@pytest.mark.parametrize("shares", [dict(beta=1.0), dict(beta=-0.1), dict(weight=1.5)])
def test_shares_out_of_range_are_refused(shares):
    with pytest.raises(ValueError, match="beta < 1"):
        SelfTeacher(torch.nn.Linear(1, 1), **shares)


def test_cropper_learns_from_its_teacher():
    model = variant("both")
    model.encoder.layers[0].ffn.dropout_layer = torch.nn.Dropout(0.5)
    model.train()
    batch = [sample(references(2)), sample()]
    keys, number = list(model.state_dict()), len(list(model.parameters()))
    model.teacher = SelfTeacher(model)
    assert list(model.state_dict()) == keys and len(list(model.parameters())) == number
    assert not model.teacher.model.training and model.training

    before = torch.random.get_rng_state()
    first, again = (model.teacher.soft_targets(feature_maps(2), batch) for _ in range(2))
    assert torch.equal(first.scores, again.scores) and first.weight == 0.5  # no dropout, nothing drawn
    assert torch.equal(before, torch.random.get_rng_state())
    logits, _ = copy.deepcopy(model).eval()._forward(feature_maps(2), batch)
    torch.testing.assert_close(first.scores, logits[-1].sigmoid())  # its last layer, slot by slot
    assert not first.scores.requires_grad

    torch.manual_seed(0)
    losses = model.loss(feature_maps(2), batch)
    torch.manual_seed(0)
    expected = model.bbox_head.loss(model.extract_memory(feature_maps(2), batch), batch, first)
    assert {k: float(v) for k, v in losses.items()} == {k: float(v) for k, v in expected.items()}
    sum(losses.values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    assert all(p.grad is None for p in model.teacher.model.parameters())


def test_real_backbone_can_be_a_teacher():
    model = build(procrop_cfg()).train()
    model.teacher = SelfTeacher(model)
    losses = model.loss(photos(2), [sample(references(2)), sample()])
    assert all(loss.isfinite() for loss in losses.values())
    model.teacher.update(model)

"""The crop head against plain loops, against mmdet, and at its edges."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import build, head_cfg, photos, procrop_cfg, sample
from scipy.optimize import linear_sum_assignment
from torchvision.ops import generalized_box_iou

from procrop.models.heads import CropFeatures
from procrop.structures import TokenSet

SOFT = dict(type="QualitySoftLabel", iou_thr=0.85, low=2.0, high=3.5, bound=0.5)


def features(batch=2, n=7, d=32, seed=0):
    g = torch.Generator().manual_seed(seed)
    tokens, pos = torch.randn(batch, n, d, generator=g), torch.randn(batch, n, d, generator=g)
    return CropFeatures(torch.zeros(batch, d, 1, n), TokenSet(tokens, pos, None))


def xyxy(b):
    return torch.stack([b[0] - b[2] / 2, b[1] - b[3] / 2, b[0] + b[2] / 2, b[1] + b[3] / 2])


def slow_layer_loss(logits, boxes, samples, total):
    """One layer's three losses by loops over photos and queries, from the formulas (alpha 0.25, gamma 2)."""
    cls = l1 = giou = torch.zeros(())
    for logit, box, s in zip(logits, boxes, samples, strict=True):
        h, w = s.img_shape
        size = torch.tensor([w, h, w, h]).float()
        crops = s.gt_instances.bboxes / size
        good = [i for i in range(len(crops)) if s.gt_instances.positives[i]]
        cost = np.zeros((len(logit), len(good)))
        for n in range(len(logit)):
            p = torch.sigmoid(logit[n].detach())
            for j, i in enumerate(good):
                x1, y1, x2, y2 = crops[i]
                centre = torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1])
                pos = 0.25 * (1 - p) ** 2 * -(p + 1e-12).log()
                neg = 0.75 * p**2 * -(1 - p + 1e-12).log()
                pair = generalized_box_iou(xyxy(box[n].detach())[None], crops[i][None])[0, 0]
                cost[n, j] = 2 * (pos - neg) + 5 * (box[n].detach() - centre).abs().sum() - 2 * pair
        match = dict(zip(*linear_sum_assignment(cost), strict=True))
        for n in range(len(logit)):
            if n in match:
                i = good[match[n]]
                x1, y1, x2, y2 = crops[i]
                l1 = l1 + (box[n] - torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1])).abs().sum()
                giou = giou + 1 - generalized_box_iou(xyxy(box[n])[None], crops[i][None])[0, 0]
                t = 1.0
            else:
                overlap = torch.stack([_iou(xyxy(box[n].detach()), c) for c in crops])
                best = int(overlap.argmax())
                q = float(s.gt_instances.scores[best])
                t = min(max(0.5 * (q - 2) / 1.5, 0), 0.5) if overlap[best] >= 0.85 else 0.0
            p = torch.sigmoid(logit[n])
            weight = (0.25 * t + 0.75 * (1 - t)) * ((1 - p) * t + p * (1 - t)) ** 2
            cls = cls + weight * F.binary_cross_entropy_with_logits(logit[n], torch.tensor(t))
    return 2 * cls / total, 5 * l1 / total, 2 * giou / total


def _iou(a, b):
    w = (torch.minimum(a[2], b[2]) - torch.maximum(a[0], b[0])).clamp(min=0)
    h = (torch.minimum(a[3], b[3]) - torch.maximum(a[1], b[1])).clamp(min=0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union


def test_losses_and_gradients_equal_plain_loops():
    torch.manual_seed(3)
    head = build(head_cfg(soft_label=SOFT))
    samples = [sample(), sample(crops=[[30.0, 4.0, 90.0, 60.0], [28.0, 4.0, 92.0, 60.0]])]
    samples[1].gt_instances.scores[1] = 3.2
    logits = torch.randn(2, 2, 5)
    boxes = torch.rand(2, 2, 5, 4) * 0.4 + 0.3
    # one unmatched query on a good crop, so that the soft label counts
    boxes[:, 1, 0] = torch.tensor([0.625, 0.5, 0.66, 0.875])
    boxes[:, 1, 1] = torch.tensor([0.625, 0.5, 0.65, 0.875])
    grads = []
    for fast in (True, False):
        a, b = logits.clone().requires_grad_(), boxes.clone().requires_grad_()
        if fast:
            losses = head.loss_by_feat(a, b, samples)
            terms = [losses[p + k] for p in ("d0.", "") for k in ("loss_cls", "loss_bbox", "loss_iou")]
        else:
            terms = [t for i in range(2) for t in slow_layer_loss(a[i], b[i], samples, 2)]
        sum(t * (i + 1) for i, t in enumerate(terms)).backward()
        grads.append((torch.stack(terms).detach(), a.grad, b.grad))
    for x, y in zip(*grads, strict=True):
        torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-4)


def test_soft_label_values():
    from procrop.models.task_modules import QualitySoftLabel

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10.5], [50, 50, 60, 60]])
    crops = torch.tensor([[0.0, 0, 10, 10]])
    for score, expected in ((1.5, 0.0), (2.0, 0.0), (2.5, 1 / 6), (3.0, 1 / 3), (3.5, 0.5), (4.9, 0.5)):
        label = QualitySoftLabel()(boxes, crops, torch.tensor([score]))
        torch.testing.assert_close(label, torch.tensor([expected, expected, 0.0]))
    assert QualitySoftLabel(bound=0.0)(boxes, crops, torch.tensor([4.0])).sum() == 0
    assert QualitySoftLabel()(boxes, crops[:0], torch.zeros(0)).sum() == 0
    with pytest.raises(ValueError, match="low < high"):
        QualitySoftLabel(low=3.0, high=2.0)


def test_initial_boxes_are_half_size_around_the_reference_point():
    torch.manual_seed(0)
    head = build(head_cfg())
    head.init_weights()
    f = features()
    logits, boxes = head(f)
    anchors = head.query_embedding.weight
    reference = head.decoder.ref_point_head(anchors).sigmoid()
    torch.testing.assert_close(boxes[-1, 0, :, :2], reference, atol=1e-5, rtol=1e-5)
    assert torch.equal(boxes[..., 2:], torch.full_like(boxes[..., 2:], 0.5))
    # the prior of 1 % up to what the random hidden states add
    assert 0.001 < float(logits.sigmoid().mean().detach()) < 0.1


def test_no_positive_and_no_crop_at_all():
    head = build(head_cfg(soft_label=SOFT))
    empty, bad_only = sample(crops=[]), sample()
    bad_only.gt_instances.positives[:] = False
    losses = head.loss(features(), [empty, bad_only])
    assert all(v.isfinite() for v in losses.values())
    assert float(losses["loss_bbox"]) == 0 and float(losses["loss_cls"]) > 0


def test_more_positives_than_queries():
    head = build(head_cfg(num_queries=3))
    many = sample(crops=[[8.0, 8.0, 80.0, 56.0]] * 2)
    many.gt_instances = type(many.gt_instances)(
        bboxes=torch.rand(8, 2).repeat(1, 2) * 20 + torch.tensor([0.0, 0, 40, 30]),
        scores=torch.full((8,), 4.5),
        positives=torch.ones(8, dtype=torch.bool),
    )
    assert all(v.isfinite() for v in head.loss(features(1), [many]).values())


def test_predictions_are_sorted_clipped_and_in_original_pixels():
    torch.manual_seed(1)
    head = build(head_cfg(num_queries=40))
    torch.nn.init.normal_(head.reg_branch.layers[-1].weight, std=2.0)
    torch.nn.init.normal_(head.cls_branch.weight, std=2.0)
    f = features()
    for s, out in zip([sample(), sample()], head.predict(f, [sample(), sample()]), strict=True):
        h, w = s.ori_shape
        b = out.bboxes
        assert b.shape == (40, 4) and (b >= 0).all() and (b[:, 2] <= w).all() and (b[:, 3] <= h).all()
        assert (b[:, 2:] - b[:, :2] >= 1 - 1e-4).all()
        assert (out.scores.diff() <= 0).all() and (0 <= out.scores).all() and (out.scores <= 1).all()
    logits, boxes = head(f)
    best = int(logits[-1, 0].argmax())
    x1, y1, x2, y2 = (xyxy(boxes[-1, 0, best].detach()) * torch.tensor([192.0, 128, 192, 128])).tolist()
    expected = torch.tensor([max(x1, 0), max(y1, 0), min(x2, 192), min(y2, 128)])
    torch.testing.assert_close(head.predict(f, [sample(), sample()])[0].bboxes[0], expected)


def test_nan_never_wins():
    torch.manual_seed(1)
    head = build(head_cfg())
    real = head.forward

    def broken(f):
        logits, boxes = real(f)
        logits, boxes = logits.clone(), boxes.clone()
        logits[-1, :, 2] = float("nan")
        logits[-1, :, 1] = float("inf")
        boxes[-1, :, 4] = float("nan")
        return logits, boxes

    head.forward = broken
    out = head.predict(features(), [sample(), sample()])[0]
    assert out.scores.isfinite().all() and out.bboxes.isfinite().all()
    assert (out.scores == 0).sum() == 3 and 0 < out.scores[0] < 1

    given = torch.rand(2, 6, 4, generator=torch.Generator().manual_seed(2)) * 0.4 + 0.3
    given[0, 5, 0] = float("nan")
    votes = head.score_boxes(features(), given)
    head.forward = lambda f: tuple(part[:, :, [0, 3]] for part in real(f))  # the other queries' votes
    assert votes[0, 5] == 0 and (votes[0, :5] > 0).all()
    torch.testing.assert_close(votes[:, :5], head.score_boxes(features(), given)[:, :5])


def test_score_boxes_is_the_stated_vote():
    torch.manual_seed(1)
    head = build(head_cfg(vote_gamma=3.0))
    f = features()
    logits, boxes = head(f)
    given = torch.rand(2, 6, 4) * 0.4 + 0.3
    scores = head.score_boxes(f, given)
    for b in range(2):
        for m in range(6):
            vote = sum(
                float(logits[-1, b, n].detach().sigmoid())
                * float(_iou(xyxy(boxes[-1, b, n].detach()), xyxy(given[b, m]))) ** 3
                for n in range(5)
            )
            assert float(scores[b, m]) == pytest.approx(vote, rel=1e-4)


def test_crops_and_votes_of_one_decoding_are_those_of_two():
    torch.manual_seed(1)
    head, f, samples = build(head_cfg()), features(), [sample(), sample()]
    given = torch.rand(2, 6, 4) * 0.4 + 0.3
    expected, votes = head.predict(f, samples), head.score_boxes(f, given)
    assert votes.requires_grad
    decoded = []
    head.register_forward_hook(lambda *_: decoded.append(1))
    crops, score = head.predict_and_score(f, samples)
    torch.testing.assert_close(score(given), votes.detach(), rtol=0, atol=0)
    assert len(decoded) == 1 and not score(given).requires_grad
    for one, other in zip(crops, expected, strict=True):
        assert torch.equal(one.bboxes, other.bboxes) and torch.equal(one.scores, other.scores)


def test_width_mismatch_is_refused():
    with pytest.raises(ValueError, match="differ in width"):
        build(procrop_cfg() | dict(positional_encoding=dict(num_feats=8, normalize=True)))


def test_encoder_and_fusion_go_together():
    with pytest.raises(ValueError, match="together"):
        build(procrop_cfg(fusion=None))


def test_padded_batch_gives_a_mask_of_the_padding():
    model = build(procrop_cfg(references=False)).eval()
    small = sample(shape=(64, 64))
    small.set_metainfo(dict(batch_input_shape=(64, 96)))
    with torch.no_grad():
        memory = model.extract_memory(photos(2), [sample(), small]).memory
    assert memory.mask.shape == (2, 4 * 6)
    assert memory.mask[0].sum() == 0 and memory.mask[1].sum() == 4 * 2


def test_labels_of_matched_queries_follow_their_crops():
    """The known area is learnt as the best, a pseudo label as a worse one, whatever query they are matched to."""
    torch.manual_seed(0)
    head = build(head_cfg(matched_label=dict(type="MOSLabel")))
    crops = sample()
    crops.gt_instances.scores = torch.tensor([5.0, 3.4])
    crops.gt_instances.positives = torch.tensor([True, True])
    logits, boxes = head(features(1))
    label, queries, target = head._targets_of_photo(logits[-1][0].detach(), boxes[-1][0].detach(), crops)
    assert len(queries) == 2 and label.count_nonzero() == 2
    by_width = {round(t[2].item() * 96): label[q].item() for q, t in zip(queries, target, strict=True)}
    assert by_width == {72: pytest.approx(1.0), 40: pytest.approx(0.6)}
    plain = build(head_cfg())
    label, queries, _ = plain._targets_of_photo(logits[-1][0].detach(), boxes[-1][0].detach(), crops)
    assert label[queries].tolist() == [1, 1]
    with pytest.raises(ValueError, match="low < high"):
        build(head_cfg(matched_label=dict(type="MOSLabel", low=5)))

"""The head that scores given crops: its loss by hand, its order, and what must not change a score."""

import numpy as np
import pytest
import torch
from builders import build, grid_cfg, photos, references, sample
from mmengine.structures import InstanceData

from procrop.models.heads import CropFeatures
from procrop.structures import TokenSet, gaic_grid_anchors


def shake(model):
    # initial weights hide errors: the memory's last layer starts at zero
    g = torch.Generator().manual_seed(1)
    for p in model.parameters():
        if p.requires_grad:
            p.data += torch.randn(p.shape, generator=g) * (0.2 if p.dim() > 1 else 0.1)
    return model


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return shake(build(grid_cfg())).eval()


@pytest.fixture
def head():
    torch.manual_seed(0)
    cfg = grid_cfg().bbox_head
    return shake(build(cfg)).eval()


def features(batch=2, shape=(4, 6), d=32, seed=0, extent=None, mask=None):
    g = torch.Generator().manual_seed(seed)
    grid = torch.randn(batch, d, *shape, generator=g)
    tokens = torch.randn(batch, shape[0] * shape[1], d, generator=g)
    return CropFeatures(grid, TokenSet(tokens, torch.randn(tokens.shape, generator=g), mask), extent)


def boxes(batch=2, m=7, seed=0):
    g = torch.Generator().manual_seed(seed)
    size = torch.rand(batch, m, 2, generator=g) * 0.5 + 0.3
    return torch.cat([size / 2 + (1 - size) * torch.rand(batch, m, 2, generator=g), size], dim=-1)


def smooth_l1(x):
    return 0.5 * x**2 if abs(x) < 1 else abs(x) - 0.5


def test_loss_by_hand(head):
    """Mean over all crops of the batch, whatever their share in each photo; a photo without crops adds nothing."""
    samples = [sample(), sample(crops=[[4.0, 4, 60, 60]]), sample(crops=[])]
    data = features(3)
    found = head.loss(data, samples)
    assert list(found) == ["loss_mos"]
    terms = []
    for i, s in enumerate(samples):
        for (x1, y1, x2, y2), mos in zip(
            s.gt_instances.bboxes.tolist(), s.gt_instances.scores.tolist(), strict=True
        ):
            box = torch.tensor([(x1 + x2) / 192, (y1 + y2) / 128, (x2 - x1) / 96, (y2 - y1) / 64])
            z = head(data, box.expand(3, 1, 4))[i, 0].item()
            terms.append(smooth_l1(z - (mos - 2.95) / 0.8))
    assert len(terms) == 3
    assert found["loss_mos"].item() == pytest.approx(sum(terms) / 3, rel=1e-5)


def test_a_batch_without_any_crop_has_a_loss_of_zero_that_reaches_every_parameter():
    model = build(grid_cfg()).train()
    losses = model(photos(2), [sample(crops=[]), sample(crops=[])], mode="loss")
    losses["loss_mos"].backward()
    assert losses["loss_mos"] == 0
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_photos_without_candidates_get_their_own_grid(model):
    cases = [((128, 192), 83, "generator"), ((300, 300), 90, "generator"), ((20, 3000), 90, "all")]
    samples = model(photos(3), [sample(ori=shape) for shape, _, _ in cases], mode="predict")
    for s, ((height, width), n, rule) in zip(samples, cases, strict=True):
        found = s.pred_instances
        grid = gaic_grid_anchors(width, height, rule)
        assert len(found) == len(grid) == n
        order = np.lexsort(grid.T)
        mine = np.lexsort(found.bboxes.numpy().T.round(2))
        np.testing.assert_allclose(found.bboxes.numpy()[mine], grid[order], atol=1e-3 * max(width, height))
        assert (found.mos.diff() <= 0).all() and found.mos.std() > 0
        torch.testing.assert_close(found.scores, ((found.mos - 1) / 4).clamp(0, 1))
        assert "rows" not in found and "candidate_scores" not in s


def test_candidates_are_scored_and_come_back_in_their_rows(model):
    s, crops = sample(), boxes(1, 12)[0]
    xyxy = torch.cat([crops[:, :2] - crops[:, 2:] / 2, crops[:, :2] + crops[:, 2:] / 2], 1)
    rows = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    s.candidates = InstanceData(bboxes=xyxy * torch.tensor([96.0, 64, 96, 64]), rows=rows)
    (out,) = model(photos(1), [s], mode="predict")
    with torch.no_grad():
        expected = model.bbox_head.score_boxes(model.extract_memory(photos(1), [s]), crops[None])[0]
    torch.testing.assert_close(out.candidate_scores[rows], expected)
    order = expected.argsort(descending=True)
    torch.testing.assert_close(out.pred_instances.bboxes, xyxy[order] * 2 * torch.tensor([96.0, 64, 96, 64]))
    assert torch.equal(out.pred_instances.rows, rows[order])


def test_boxes_of_unknown_origin_give_no_candidate_scores(model):
    s = sample()
    s.candidates = InstanceData(bboxes=torch.tensor([[0.0, 0, 50, 50], [10, 10, 96, 64], [0, 0, 50, 50]]))
    (out,) = model(photos(1), [s], mode="predict")
    assert len(out.pred_instances) == 3 and "candidate_scores" not in out
    s.candidates = InstanceData(bboxes=torch.zeros(0, 4))
    assert len(model(photos(1), [s], mode="predict")[0].pred_instances) == 0


def test_crops_are_scored_one_by_one(head):
    together = head(features(), boxes())
    for i in range(7):
        torch.testing.assert_close(head(features(), boxes()[:, i : i + 1]), together[:, i : i + 1])
    assert together.std() > 0.05


def test_features_of_the_crop_and_of_the_rest_both_count():
    head = shake(build(dict(grid_cfg(memory=False, references=False).bbox_head))).eval()
    data, box = features(1), torch.tensor([[[0.5, 0.5, 0.6, 0.6]]])
    before = head(data, box)
    for cell in ((1, 2), (0, 0)):
        changed = features(1)
        changed.feature_map[0, :, cell[0], cell[1]] += 3
        assert (head(changed, box) - before).abs() > 1e-3


def test_padding_of_the_map_and_of_the_memory_changes_nothing(head):
    alone = head(features(1), boxes(1))
    tokens = features(1).memory
    padded = CropFeatures(
        torch.full((1, 32, 6, 9), 1e3),
        TokenSet.cat(
            [
                tokens,
                TokenSet(
                    torch.full((1, 5, 32), 1e3),
                    torch.zeros(1, 5, 32),
                    torch.ones(1, 5, dtype=torch.bool),
                ),
            ]
        ),
        torch.tensor([[6.0, 4.0]]),
    )
    padded.feature_map[:, :, :4, :6] = features(1).feature_map
    torch.testing.assert_close(head(padded, boxes(1)), alone)


def test_a_memory_that_is_all_masked_is_finite(head):
    mask = torch.ones(2, 24, dtype=torch.bool)
    data, other = features(mask=mask), features(mask=mask)
    other.memory.tokens *= 100
    first = head(data, boxes())
    assert first.isfinite().all() and torch.equal(first, head(other, boxes()))


def test_long_tokens_do_not_drown_the_others(head):
    """Cells of an image backbone's map have any scale; references are layer-normalised."""
    data = features()
    before = head(data, boxes())
    data.memory.tokens[:, :12] *= 8
    torch.testing.assert_close(head(data, boxes()), before, rtol=1e-3, atol=1e-3)


def test_what_is_not_finite_never_wins(head):
    crops = boxes(1, 4)
    crops[0, 1, 2] = float("nan")
    scores = head.score_boxes(features(1), crops)
    assert scores.isfinite().all() and scores[0].argmin() == 1
    s = sample()
    s.candidates = InstanceData(bboxes=torch.tensor([[0.0, 0, 50, 50], [0, 0, torch.inf, 9], [9, 9, 90, 60]]))
    (found,) = head.predict(features(1), [s])
    assert found.bboxes.isfinite().all() and found.bboxes[2].tolist() == [0, 0, 192, 128]
    with torch.no_grad():
        head.score[1].bias.fill_(float("nan"))
    (found,) = head.predict(features(1), [sample()])
    assert len(found) == 83 and found.bboxes.isfinite().all() and (found.scores == 0).all()


def test_normalisation_of_the_target_is_undone():
    torch.manual_seed(0)
    head = build(grid_cfg(mos_mean=10.0, mos_std=2.0).bbox_head)
    z, mos = head(features(), boxes()), head.score_boxes(features(), boxes())
    torch.testing.assert_close(mos, z * 2 + 10)
    assert head.loss_mos.beta == 1.0
    with pytest.raises(ValueError, match="mos_std"):
        build(grid_cfg(mos_std=0).bbox_head)
    with pytest.raises(ValueError, match="rule"):
        build(grid_cfg(grid_rule="square").bbox_head)


# ---- references


def scores_of(model, samples, inputs=None):
    with torch.no_grad():
        return model._forward(photos(len(samples)) if inputs is None else inputs, samples)


def test_references_reach_the_scores(model):
    with_references, without = scores_of(model, [sample(references(3))]), scores_of(model, [sample()])
    assert with_references.shape == (1, 90)  # the whole grid
    assert (with_references - without).abs().max() > 1e-3


def test_absent_references_are_the_model_without_any(model):
    blind = build(grid_cfg(references=False)).eval()
    assert not blind.load_state_dict(model.state_dict(), strict=False).missing_keys
    expected = scores_of(blind, [sample(), sample()])
    assert torch.equal(scores_of(model, [sample(), sample()]), expected)
    masked = references(3)
    masked.mask[:] = True
    torch.testing.assert_close(scores_of(model, [sample(masked), sample()]), expected)


def test_a_new_head_is_the_plain_baseline():
    torch.manual_seed(0)
    model = build(grid_cfg()).eval()
    plain = build(grid_cfg(memory=False, references=False)).eval()
    assert not plain.load_state_dict(model.state_dict(), strict=False).missing_keys
    assert torch.equal(scores_of(model, [sample(references(3))]), scores_of(plain, [sample()]))


def test_order_of_references_and_company_change_nothing(model):
    mine = references(4, seed=1)
    alone = scores_of(model, [sample(mine)], photos(3)[:1])
    turned = scores_of(model, [sample(mine[torch.tensor([2, 0, 3, 1])])], photos(3)[:1])
    torch.testing.assert_close(turned, alone)
    company = scores_of(model, [sample(mine), sample(references(6, seed=2)), sample()], photos(3))
    torch.testing.assert_close(company[:1], alone)


def test_every_parameter_has_a_gradient_with_and_without_references():
    model = shake(build(grid_cfg())).train()
    for batch in ([sample(references(2)), sample()], [sample(), sample()]):
        model.zero_grad()
        model(photos(2), batch, mode="loss")["loss_mos"].backward()
        assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_references_that_nothing_would_read_are_refused():
    with pytest.raises(ValueError, match="memory_attention"):
        build(grid_cfg(memory=False))


def test_mixed_precision_on_the_cpu_is_close(model):
    batch = [sample(references(3)), sample()]
    exact = model(photos(2), batch, mode="loss")["loss_mos"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = model(photos(2), batch, mode="loss")["loss_mos"]
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.0)

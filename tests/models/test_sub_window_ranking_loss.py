"""The best crop ranks above its windows: values by hand, gradients, batches, and learning it."""

import pytest
import torch
from builders import build, grid_cfg, photos, procrop_cfg, sample
from mmengine.structures import InstanceData

WINDOWS = [[10.0, 10, 40, 40], [20, 12, 70, 50], [0, 0, 96, 64]]


def with_lesser(count, **kwargs):
    out = sample(**kwargs)
    out.lesser_crops = InstanceData(bboxes=torch.tensor(WINDOWS[:count]).reshape(-1, 4))
    return out


def model_of(kind, **settings):
    torch.manual_seed(0)
    ranking = dict(type="SubWindowRankingLoss", **settings)
    make = grid_cfg if kind == "grid" else procrop_cfg
    # training mode, but nothing is left to chance
    model = build(make(references=False, memory=False) if kind == "grid" else make(references=False))
    model.ranking_loss = build(ranking)
    model.init_weights()
    torch.nn.init.normal_(
        model.bbox_head.score[-1].weight if kind == "grid" else model.bbox_head.cls_branch.weight
    )
    return model


KINDS = [("detr", False), ("detr", True), ("grid", False)]


@pytest.mark.parametrize("kind, relative", KINDS)
def test_value_by_hand(kind, relative):
    model = model_of(kind, margin=0.3, loss_weight=2.0, relative=relative).eval()
    samples = [with_lesser(3), with_lesser(1), sample(), with_lesser(0)]
    with torch.no_grad():
        features = model.extract_memory(photos(4), samples)
        found = model.ranking_loss(model.bbox_head, features, samples)
        terms = []
        for i, s in enumerate(samples):
            for box in s.lesser_crops.bboxes.tolist() if "lesser_crops" in s else []:
                rows = torch.tensor([[8.0, 8, 80, 56], box]) / torch.tensor([96.0, 64, 96, 64])
                given = torch.cat([(rows[:, :2] + rows[:, 2:]) / 2, rows[:, 2:] - rows[:, :2]], dim=1)
                best, lesser = model.bbox_head.score_boxes(features, given.expand(4, -1, -1))[i].tolist()
                ahead = (best - lesser) / (best + lesser) if relative else best - lesser
                terms.append(max(0.0, 0.3 - ahead))
    assert len(terms) == 4 and sum(t > 0 for t in terms) >= 2
    assert found.item() == pytest.approx(2 * sum(terms) / 4, rel=1e-4)


@pytest.mark.parametrize("kind, relative", KINDS)
def test_scores_have_gradients(kind, relative):
    """A step along the gradient of the last score layer changes the loss as the gradient says."""
    model = model_of(kind, margin=1.0, relative=relative).eval()
    samples = [with_lesser(3), with_lesser(2)]
    layer = model.bbox_head.score[-1] if kind == "grid" else model.bbox_head.cls_branch
    torch.nn.init.zeros_(layer.bias)

    def value():
        return model.ranking_loss(model.bbox_head, model.extract_memory(photos(2), samples), samples)

    (gradient,) = torch.autograd.grad(value(), layer.weight)
    step = 0.1 * gradient / gradient.norm()
    with torch.no_grad():
        layer.weight += step
        above = value()
        layer.weight -= 2 * step
        below = value()
    slope = ((above - below) / 0.2).item()
    assert slope > 1e-4 and slope == pytest.approx(gradient.norm().item(), rel=0.04)


@pytest.mark.parametrize("kind", ["detr", "grid"])
def test_it_is_a_loss_of_the_cropper_by_config(kind):
    model = model_of(kind, margin=5.0)
    losses = model.loss(photos(2), [with_lesser(3), with_lesser(2)])
    assert losses["loss_ranking"].item() > 0
    plain = model_of(kind)
    plain.ranking_loss = None
    assert set(losses) - set(plain.loss(photos(2), [sample(), sample()])) == {"loss_ranking"}


def test_without_pairs_it_is_zero_with_a_gradient():
    model = model_of("detr")
    loss = model.loss(photos(2), [sample(), sample(crops=[])])["loss_ranking"]
    assert loss.item() == 0 and loss.requires_grad


@pytest.mark.parametrize("kind", ["detr", "grid"])
def test_a_model_learns_it(kind):
    model = model_of(kind, margin=0.2, relative=kind == "detr")
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 3e-3)
    samples, images = [with_lesser(3), with_lesser(2)], photos(2)
    history = []
    for _ in range(25):
        features = model.extract_memory(images, samples)
        loss = model.ranking_loss(model.bbox_head, features, samples)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    assert history[0] > 0.1 and history[-1] < 0.5 * history[0]


def test_a_margin_out_of_reach_is_refused():
    with pytest.raises(ValueError, match="at most 1"):
        build(dict(type="SubWindowRankingLoss", margin=1.5, relative=True))

"""Every way of fusing references learns what only references tell.

All photos look alike. The tokens of their references lean one way or the other along a hidden direction, and that
decides which of two crops is the right one: a model without references is right for half of the photos.
"""

import pytest
import torch
from builders import build, head_cfg, procrop_cfg, references, sample
from fusion_variants import VARIANTS, variant, without_backbone

CROPS = [[0.0, 0.0, 40.0, 64.0], [56.0, 0.0, 96.0, 64.0]]
STEPS = 120  # what starts at zero, as fusion along the channels does, begins to learn later


def batch(number, seed, with_references=True):
    """Photos of alternating answer; the answer, 0 or 1, is the place of the right crop in CROPS."""
    direction = torch.randn(8, generator=torch.Generator().manual_seed(5))
    samples = []
    for i in range(number):
        refs = references(3, seed=1000 * seed + i)
        refs.tokens = (refs.tokens.float() + (2 * (i % 2) - 1) * direction).half()
        photo = sample(refs if with_references else None, crops=[CROPS[i % 2]])
        samples.append(photo)
    return samples


def share_right(model, samples, maps):
    """Share of photos whose best crop lies on the right one."""
    with torch.no_grad():
        crops = model.eval().predict(maps.expand(len(samples), -1, -1, -1), samples)
    centres = torch.stack(
        [(c.pred_instances.bboxes[0, 0] + c.pred_instances.bboxes[0, 2]) / 2 for c in crops]
    )
    width = samples[0].ori_shape[1]
    answers = torch.arange(len(samples)) % 2
    return float(((centres > width / 2) == (answers == 1)).float().mean())


def trained(model, with_references=True, steps=STEPS):
    """The share of right crops among photos that the training has not seen."""
    torch.manual_seed(1)
    model.init_weights()
    maps = torch.randn(1, 32, 4, 6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for step in range(steps):
        samples = batch(6, step + 1, with_references)
        losses = model.loss(maps.expand(6, -1, -1, -1), samples)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return share_right(model, batch(16, 0, with_references), maps)


def small_head():
    return head_cfg(num_queries=4, layers=1)


@pytest.mark.parametrize(
    "name", [n if n == "both" else pytest.param(n, marks=pytest.mark.slow) for n in VARIANTS]
)
def test_references_decide(name):
    assert trained(variant(name, perturb=False, bbox_head=small_head()).float()) >= 0.9


def test_nothing_else_does():
    blind = without_backbone(build(procrop_cfg(references=False, bbox_head=small_head())))
    assert trained(blind, with_references=False, steps=30) == 0.5

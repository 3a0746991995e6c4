"""The losses against plain loops, and what they ask for."""

import numpy as np
import pytest
import torch

from procrop.retrieval.distillation.relation import (
    key_loss,
    key_spread,
    neighbour_temperature,
    relational_loss,
    similarity,
)

RNG = np.random.default_rng(0)


def tensors(*shapes):
    return [torch.from_numpy(RNG.normal(size=shape)) for shape in shapes]


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "l2"])
def test_similarity_is_the_index_score(metric):
    from procrop.retrieval import FaissIndex

    queries, keys = (t.float() for t in tensors((4, 6), (9, 6)))
    index = FaissIndex(metric=metric)
    index.add(np.arange(9), keys.numpy())
    ids, scores = index.search(queries.numpy(), 9)
    found = similarity(queries, keys, metric).numpy()
    np.testing.assert_allclose(np.take_along_axis(found, ids, 1), scores, rtol=1e-4, atol=1e-5)


def test_relational_loss_is_the_divergence_of_neighbour_distributions():
    student, teacher = tensors((3, 5), (3, 5))
    own = torch.zeros(3, 5, dtype=torch.bool)
    own[0, 1] = own[2, 4] = True
    expected = []
    for s, t, barred in zip(student.numpy(), teacher.numpy(), own.numpy(), strict=True):
        p, q = (np.exp(row[~barred] / 0.3) for row in (t, s))
        p, q = p / p.sum(), q / q.sum()
        expected.append((p * np.log(p / q)).sum())
    assert float(relational_loss(student, teacher, own, 0.3)) == pytest.approx(np.mean(expected))
    assert float(relational_loss(teacher, teacher, own, 0.3)) == pytest.approx(0, abs=1e-9)


def test_what_is_barred_has_no_say():
    student, teacher = tensors((2, 4), (2, 4))
    own = torch.tensor([[True, False, False, False]] * 2)
    moved = student.clone()
    moved[:, 0] += 5
    assert relational_loss(student, teacher, own, 0.5) == relational_loss(moved, teacher, own, 0.5)


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "l2"])
def test_the_loss_leads_to_the_teachers_key(metric):
    keys, pool = tensors((6, 4), (12, 4))
    found = torch.from_numpy(RNG.normal(size=(6, 4))).requires_grad_(True)
    own = torch.zeros(6, 12, dtype=torch.bool)
    wanted = similarity(keys, pool, metric)
    temperature, spread = neighbour_temperature(wanted, own, 3), key_spread(keys, metric)
    optimizer = torch.optim.Adam([found], lr=0.05)
    for _ in range(600):
        near = relational_loss(similarity(found, pool, metric), wanted, own, temperature)
        loss = key_loss(found, keys, metric, spread) + near
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01


def test_unrelated_keys_cost_one():
    keys = tensors((400, 5))[0] + 1
    for metric in ("cosine", "l2"):
        rows = torch.randperm(400, generator=torch.Generator().manual_seed(0))
        loss = key_loss(keys[rows], keys, metric, key_spread(keys, metric))
        assert float(loss) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_temperature_follows_the_scale(scale):
    near = scale * tensors((50, 40))[0]
    own = torch.eye(50, 40, dtype=torch.bool)
    temperature = neighbour_temperature(near, own, 8)
    p = torch.softmax((near / temperature).masked_fill(own, -torch.inf), dim=1).numpy()
    entropy = [-(row[row > 0] * np.log(row[row > 0])).sum() for row in p]
    assert np.median(np.exp(entropy)) == pytest.approx(8, rel=0.05)

"""The invariants of the fusion neck and of the references' encoder."""

import pytest
import torch
from builders import build, photos, procrop_cfg, references, sample

from procrop.structures import TokenSet


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = build(procrop_cfg())
    # initial weights hide errors: zero embeddings and zero last layers would make much of this trivially true
    for p in model.parameters():
        if p.requires_grad:
            p.data += torch.randn_like(p) * (0.3 if p.dim() > 1 else 0.1)
    return model.eval()


def run(model, samples, inputs=None):
    with torch.no_grad():
        return model._forward(photos(len(samples)) if inputs is None else inputs, samples)


def assert_same(a, b, atol=5e-6):
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, atol=atol, rtol=1e-4)


def test_references_change_the_crops(model):
    with_refs = run(model, [sample(references(3))])
    without = run(model, [sample()])
    assert (with_refs[1] - without[1]).abs().max() > 1e-3


def test_no_context_is_exactly_the_baseline(model):
    baseline = build(procrop_cfg(references=False)).eval()
    report = baseline.load_state_dict(model.state_dict(), strict=False)
    assert not report.missing_keys
    for a, b in zip(run(model, [sample(), sample()]), run(baseline, [sample(), sample()]), strict=True):
        assert torch.equal(a, b)


def test_absent_beside_present_is_the_baseline_too(model):
    mixed = run(model, [sample(references(3)), sample()])
    alone = run(model, [sample(), sample()])
    assert_same([x[:, 1] for x in mixed], [x[:, 1] for x in alone])


def test_training_without_context_is_the_baseline_and_reaches_every_parameter(model):
    alone = run(model, [sample(), sample()])
    model.train()
    try:
        logits, boxes = model._forward(photos(2), [sample(), sample()])
        assert_same([logits, boxes], alone)
        (logits.sum() + boxes.sum()).backward()
        unreached = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
        assert unreached == []
    finally:
        model.zero_grad()
        model.eval()


def test_order_of_references_changes_nothing(model):
    refs = references(5)
    assert_same(run(model, [sample(refs)]), run(model, [sample(refs[torch.tensor([3, 0, 4, 1, 2])])]))


def test_similarity_of_a_reference_matters(model):
    refs, other = references(5), references(5)
    other.scores = other.scores.flip(0)
    assert (run(model, [sample(refs)])[1] - run(model, [sample(other)])[1]).abs().max() > 1e-4


def test_positions_within_a_reference_matter(model):
    refs, moved = references(2), references(2)
    moved.tokens = moved.tokens.flip(1)
    assert (run(model, [sample(refs)])[1] - run(model, [sample(moved)])[1]).abs().max() > 1e-4


def test_batch_company_and_reference_padding_change_nothing(model):
    mine = references(2, seed=1)
    alone = run(model, [sample(mine)])
    company = run(model, [sample(mine), sample(references(5, seed=2)), sample()], photos(3))
    first = run(model, [sample(mine)], photos(3)[:1])
    assert_same([x[:, :1] for x in company], first)
    padded = references(4, seed=3)
    padded.tokens[:2] = mine.tokens
    padded.scores[:2] = mine.scores
    padded.mask = torch.tensor([False, False, True, True])
    assert_same(run(model, [sample(padded)]), alone)


def test_photo_padding_changes_only_what_the_image_backbone_does(model):
    """Padded encoder tokens are masked in f_c as well: whatever they hold, no crop moves."""
    query = TokenSet(torch.randn(1, 6, 32), torch.randn(1, 6, 32), torch.tensor([[False] * 4 + [True] * 2]))
    context = model.context_encoders["references"]([references(2)], query.tokens)
    spoiled = TokenSet(query.tokens.clone(), query.pos, query.mask)
    spoiled.tokens[:, 4:] = 1e3
    with torch.no_grad():
        a, b = (model.fusion(q, dict(references=context)) for q in (query, spoiled))
    assert torch.equal(a.mask, b.mask)
    keep = ~a.mask[0]
    torch.testing.assert_close(a.tokens[0, keep], b.tokens[0, keep])
    assert int(keep.sum()) == 4 + context.num_tokens + 4


def test_memory_holds_the_photo_once_then_context_then_attended(model):
    query = TokenSet(torch.randn(2, 6, 32), torch.randn(2, 6, 32), None)
    context = model.context_encoders["references"]([references(2), references(1)], query.tokens)
    memory = model.fusion(query, dict(references=context))
    assert memory.num_tokens == 6 + 2 * 6 + 6
    assert torch.equal(memory.tokens[:, :6], query.tokens)
    assert torch.equal(memory.tokens[:, 6:18], context.tokens)
    assert memory.mask[0].sum() == 0
    assert memory.mask[1].sum() == 6  # the missing second reference


def test_all_references_masked_gives_finite_crops(model):
    refs = references(3)
    refs.mask[:] = True
    out = run(model, [sample(refs)])
    assert all(x.isfinite().all() for x in out)
    assert_same(out, run(model, [sample()]))


def test_unknown_context_is_refused(model):
    query = TokenSet(torch.randn(1, 6, 32), torch.randn(1, 6, 32), None)
    with pytest.raises(ValueError, match="text"):
        model.fusion(query, dict(text=query))


@pytest.mark.parametrize("what", ["annotation", "both"])
def test_annotations_of_references(what):
    torch.manual_seed(0)
    cfg = procrop_cfg()
    cfg.context_encoders.references.what = what
    model = build(cfg).eval()
    torch.nn.init.normal_(model.bbox_head.reg_branch.layers[-1].weight)
    refs, other = references(3, crops=2), references(3, crops=2)
    other.crops = 1 - other.crops
    a, b = run(model, [sample(refs)]), run(model, [sample(other)])
    assert (a[1] - b[1]).abs().max() > 1e-5
    # a crop that is marked absent counts for nothing
    hidden, cut = references(3, crops=2), references(3, crops=2)
    hidden.crop_mask[:, 1] = True
    hidden.crops[:, 1] = 0.3
    cut.crops, cut.crop_scores, cut.crop_mask = cut.crops[:, :1], cut.crop_scores[:, :1], cut.crop_mask[:, :1]
    assert_same(run(model, [sample(hidden)]), run(model, [sample(cut)]))
    tokens = model.context_encoders["references"]([refs], torch.zeros(1, 1, 32))
    assert tokens.num_tokens == (3 * 2 if what == "annotation" else 3 * (6 + 2))


def test_tokens_of_another_encoder_are_refused(model):
    with pytest.raises(ValueError, match="another retrieval backbone"):
        run(model, [sample(references(2, channels=9))])


def test_missing_annotations_are_refused():
    cfg = procrop_cfg()
    cfg.context_encoders.references.what = "both"
    with pytest.raises(ValueError, match="built with crops"):
        run(build(cfg).eval(), [sample(references(2))])


def test_pooled_grid_is_the_mean_of_its_cells():
    encoder = build(
        dict(type="ReferenceEncoder", in_channels=8, embed_dims=32, token_grid=(2, 2), pooled_grid=(1, 1))
    )
    refs = references(2, m=4)
    pooled, grid = encoder._pool(refs.tokens.float().unsqueeze(0))
    assert grid == (1, 1)
    torch.testing.assert_close(pooled[0, :, 0], refs.tokens.float().mean(1))

"""What holds for every way of fusing references into a photo."""

import pytest
import torch
import torch.nn.functional as F
from builders import build, procrop_cfg, references, sample
from fusion_variants import VARIANTS, feature_maps, variant, without_backbone

from procrop.models.necks.photo_grid import on_photo_grid
from procrop.structures import TokenSet


@pytest.fixture(scope="module", params=list(VARIANTS))
def model(request):
    model = variant(request.param)
    model.name = request.param
    return model


def run(model, samples, maps=None):
    with torch.no_grad():
        return model._forward(feature_maps(len(samples)) if maps is None else maps, samples)


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, atol=1e-6, rtol=1e-6)


def assert_reached(model):
    unreached = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert unreached == []


def test_references_change_the_crops(model):
    few, many, without = (run(model, [sample(refs)]) for refs in (references(1), references(7), None))
    assert (few[1] - without[1]).abs().max() > 1e-3
    assert (many[1] - few[1]).abs().max() > 1e-4


def test_no_context_is_exactly_the_baseline(model):
    baseline = without_backbone(build(procrop_cfg(references=False))).eval().double()
    assert not baseline.load_state_dict(model.state_dict(), strict=False).missing_keys
    for a, b in zip(run(model, [sample(), sample()]), run(baseline, [sample(), sample()]), strict=True):
        assert torch.equal(a, b)


def test_absent_beside_present_is_the_baseline_too(model):
    mixed = run(model, [sample(references(3)), sample()])
    alone = run(model, [sample(), sample()])
    assert_same([x[:, 1] for x in mixed], [x[:, 1] for x in alone])


@pytest.mark.parametrize("present", [0, 1])
def test_training_reaches_every_parameter_whatever_the_batch_holds(model, present):
    batch = [sample(references(2)) if i < present else sample() for i in range(2)]
    alone = run(model, batch)
    model.train()
    try:
        out = model._forward(feature_maps(2), batch)
        assert_same(out, alone)
        sum(x.sum() for x in out).backward()
        assert_reached(model)
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    finally:
        model.zero_grad()
        model.eval()


def test_order_of_references_changes_nothing(model):
    refs = references(5)
    assert_same(run(model, [sample(refs)]), run(model, [sample(refs[torch.tensor([3, 0, 4, 1, 2])])]))


def test_similarity_of_a_reference_matters(model):
    refs, other = references(5), references(5)
    other.scores = other.scores.flip(0)
    change = (run(model, [sample(refs)])[1] - run(model, [sample(other)])[1]).abs().max()
    assert change < 1e-5 if model.name == "no_similarity" else change > 1e-4


def test_positions_within_a_reference_matter(model):
    refs, moved = references(2), references(2)
    moved.tokens = moved.tokens.flip(1)
    change = (run(model, [sample(refs)])[1] - run(model, [sample(moved)])[1]).abs().max()
    assert change < 1e-5 if model.name == "no_positions" else change > 1e-4


def test_batch_company_and_reference_padding_change_nothing(model):
    mine = references(2, seed=1)
    alone = run(model, [sample(mine)])
    company = run(model, [sample(mine), sample(references(5, seed=2)), sample()], feature_maps(3))
    assert_same([x[:, :1] for x in company], run(model, [sample(mine)], feature_maps(3)[:1]))
    padded = references(4, seed=3)
    padded.tokens[:2] = mine.tokens
    padded.scores[:2] = mine.scores
    padded.mask = torch.tensor([False, False, True, True])
    assert_same(run(model, [sample(padded)]), alone)


def test_photo_padding_changes_nothing(model):
    """A photo of 64 x 64 alone, and in a batch of 80 x 96 whose other pixels give the worst feature map there is."""
    small = sample(references(3), shape=(64, 64))
    alone = run(model, [small], feature_maps(1, (4, 4)))
    padded = sample(references(3), shape=(64, 64))
    padded.set_metainfo(dict(batch_input_shape=(80, 96)))
    maps = torch.full((1, 32, 5, 6), 1e3, dtype=torch.float64)
    maps[..., :4, :4] = feature_maps(1, (4, 4))
    assert_same(run(model, [padded], maps), alone)


def test_all_references_masked_is_the_baseline(model):
    refs = references(3)
    refs.mask[:] = True
    assert_same(run(model, [sample(refs)]), run(model, [sample()]))


def test_unknown_context_is_refused(model):
    query = TokenSet(torch.randn(1, 6, 32), torch.randn(1, 6, 32), None)
    with pytest.raises(ValueError, match="text"):
        model.fusion(query, dict(text=query))


def memory_of(name):
    model = variant(name)
    query = TokenSet(torch.randn(2, 6, 32).double(), torch.randn(2, 6, 32).double(), None, (2, 3))
    context = model.context_encoders["references"]([references(2), references(1)], query.tokens)
    return query, context, model.fusion(query, dict(references=context))


def test_memory_holds_the_photo_once_then_context_then_attended():
    query, context, memory = memory_of("both")
    assert memory.num_tokens == 6 + 2 * 6 + 6
    assert torch.equal(memory.tokens[:, :6], query.tokens)
    assert torch.equal(memory.tokens[:, 6:18], context.tokens)
    assert memory.mask[0].sum() == 0
    assert memory.mask[1].sum() == 6  # the missing second reference
    _, context, only = memory_of("concat_only")
    assert torch.equal(only.tokens[:, 6:], context.tokens)


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("concat_only", 6 + 12),
        ("cross_attention_only", 6 + 6),
        ("photo_grid", 6 + 6 + 6),
        ("channel_axis", 6),
        ("pooled_grid", 6 + 2 * 2 + 6),
        ("learned_queries", 6 + 4 + 6),
    ],
)
def test_length_of_the_memory(name, length):
    assert memory_of(name)[2].num_tokens == length


def test_channel_fusion_starts_as_the_baseline():
    model = variant("channel_axis", perturb=False)
    query = TokenSet(torch.randn(1, 6, 32).double(), torch.randn(1, 6, 32).double(), None, (2, 3))
    context = model.context_encoders["references"]([references(2)], query.tokens)
    assert torch.equal(model.fusion(query, dict(references=context)).tokens, query.tokens)


@pytest.mark.parametrize(("name", "option"), [("channel_axis", "what"), ("photo_grid", "num_latents")])
def test_tokens_without_a_raster_cannot_go_on_the_photos(name, option):
    model = variant(name, references={option: dict(what="both", num_latents=4)[option]})
    with pytest.raises(ValueError, match="what='image' and no num_latents"):
        run(model, [sample(references(2, crops=2))])


@pytest.mark.parametrize("cells", [(2, 3), (5, 7), (1, 1)])
def test_photo_grid_is_the_mean_reference_interpolated(cells):
    """Against torch's own bilinear interpolation of the mean map, gradients too."""
    tokens = torch.randn(2, 3 * cells[0] * cells[1], 32, requires_grad=True)
    mask = torch.zeros(tokens.shape[:2], dtype=torch.bool)
    mask[1, 2 * cells[0] * cells[1] :] = True  # the second photo has two references
    query = TokenSet(torch.zeros(2, 24, 32), grid=(4, 6))
    ours = on_photo_grid(query, TokenSet(tokens, torch.zeros_like(tokens), mask, cells))
    maps = tokens.view(2, 3, *cells, 32)
    means = torch.stack([maps[0].mean(0), maps[1, :2].mean(0)]).permute(0, 3, 1, 2)
    theirs = F.interpolate(means, (4, 6), mode="bilinear", align_corners=False).flatten(2).transpose(1, 2)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    weights = torch.randn_like(ours)
    grads = [torch.autograd.grad((x * weights).sum(), tokens)[0] for x in (ours, theirs)]
    torch.testing.assert_close(*grads, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("terms", [(), ("context", "context"), ("references",)])
def test_unknown_terms_are_refused(terms):
    with pytest.raises(ValueError, match="terms must be one or both"):
        build(dict(type="FusionNeck", embed_dims=32, num_heads=4, terms=terms))


def test_weights_of_the_default_neck_keep_their_names():
    names = {name for name in build(dict(type="FusionNeck", embed_dims=32, num_heads=4)).state_dict()}
    assert "attended_embedding.references" in names and len(names) == 10
    assert all(n.startswith(("attentions.references.", "attended_embedding.")) for n in names)

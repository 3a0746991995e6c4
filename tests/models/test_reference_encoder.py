"""Π, the encoder of references: what it takes and what it refuses."""

import pytest
import torch
from builders import build, photos, procrop_cfg, references, sample

from procrop.structures import TokenSet


def encoder(**options):
    torch.manual_seed(0)
    cfg = dict(type="ReferenceEncoder", in_channels=8, embed_dims=32, token_grid=(2, 3), num_heads=4)
    return build(cfg | options).eval()


@torch.no_grad()
def run(model, samples):
    return model._forward(photos(len(samples)), samples)


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
    for x, y in zip(run(model, [sample(hidden)]), run(model, [sample(cut)]), strict=True):
        torch.testing.assert_close(x, y, atol=5e-6, rtol=1e-4)
    tokens = model.context_encoders["references"]([refs], torch.zeros(1, 1, 32))
    assert tokens.num_tokens == (3 * 2 if what == "annotation" else 3 * (6 + 2))
    assert tokens.grid is None


def test_tokens_of_another_encoder_are_refused():
    with pytest.raises(ValueError, match="another retrieval backbone"):
        encoder()([references(2, channels=9)], torch.zeros(1))


def test_missing_annotations_are_refused():
    with pytest.raises(ValueError, match="built with crops"):
        encoder(what="both")([references(2)], torch.zeros(1))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(what="text"), "what='text'"),
        (dict(projection="conv"), "projection='conv'"),
        (dict(token_grid=None), "are open"),
    ],
)
def test_unknown_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        encoder(**options)


def test_pooled_grid_is_the_mean_of_its_cells():
    pooling = encoder(token_grid=(2, 2), pooled_grid=(1, 1))
    refs = references(2, m=4)
    pooled, grid = pooling._pool(refs.tokens.float().unsqueeze(0))
    assert grid == (1, 1)
    torch.testing.assert_close(pooled[0, :, 0], refs.tokens.float().mean(1))
    assert pooling([refs], torch.zeros(1)).grid == (1, 1)


def test_learned_queries_give_as_many_tokens_for_any_number_of_references():
    resampling = encoder(num_latents=5)
    sets = [resampling([references(k), None], torch.zeros(1)) for k in (1, 9)]
    assert all(isinstance(s, TokenSet) and s.tokens.shape == (2, 5, 32) for s in sets)
    assert all(not s.mask[0].any() and s.mask[1].all() for s in sets)
    assert (sets[0].tokens[0] - sets[1].tokens[0]).abs().max() > 1e-3
    # not one query repeated: each reads something of its own
    assert torch.cdist(sets[0].tokens[0], sets[0].tokens[0]).fill_diagonal_(9).min() > 0.1


def test_what_is_switched_off_has_no_weights():
    names = {n.split(".")[0] for n in encoder(positions=False, similarity=False).state_dict()}
    assert names == {"token_proj", "token_norm", "image_embedding"}

"""What holds for text in the memory, alone and beside references, whatever the fusion."""

import pytest
import torch
import torch.nn.functional as F
from builders import build, grid_cfg, procrop_cfg, references, sample, text_tokens
from fusion_variants import feature_maps, variant, without_backbone

NECKS = ["both", "concat_only", "cross_attention_only", "photo_grid", "channel_axis", "before_encoder"]


HEAD = "grid_anchor_head"  # scores crops in float32


def model_of(name, **contexts):
    if name == HEAD:
        return variant("both", make=grid_cfg, **contexts).float()
    return variant(name, **contexts)


@pytest.fixture(scope="module", params=[*NECKS, HEAD])
def model(request):
    model = model_of(request.param, text=True)
    model.name = request.param
    return model


def forward(model, samples, maps=None):
    """What the head gives, as a tuple: (L, B, N, ...) of the decoder's layers, or the (1, B, M) of scored crops."""
    maps = feature_maps(len(samples)) if maps is None else maps
    out = model._forward(maps.to(next(model.parameters())), samples)
    return out if isinstance(out, tuple) else (out.unsqueeze(0),)


def run(model, samples, maps=None):
    with torch.no_grad():
        return forward(model, samples, maps)


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        tolerance = 1e-6 if x.dtype == torch.float64 else 1e-4
        torch.testing.assert_close(x, y, atol=tolerance, rtol=tolerance)


def difference(a, b):
    return max((x - y).abs().max() for x, y in zip(a, b, strict=True))


def twin(model, references, text):
    """The same weights in a model with fewer contexts."""
    if references or text:
        other = model_of(model.name, references={} if references else False, text=text)
    else:
        make = grid_cfg if model.name == HEAD else procrop_cfg
        other = without_backbone(build(make(references=False))).eval().to(next(model.parameters()).dtype)
    assert not other.load_state_dict(model.state_dict(), strict=False).missing_keys
    return other


def test_each_context_changes_the_crops(model):
    refs, text = references(3), text_tokens(5)
    out = [run(model, [sample(r, text=t)]) for r in (None, refs) for t in (None, text)]
    assert min(difference(out[i], out[j]) for i in range(4) for j in range(i)) > 1e-4


def test_no_context_is_exactly_the_baseline(model):
    baseline = twin(model, references=False, text=False)
    for a, b in zip(run(model, [sample()] * 2), run(baseline, [sample()] * 2), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kept", ["references", "text"])
def test_without_one_context_is_exactly_the_model_of_the_other(model, kept):
    batch = [
        sample(references(3)) if kept == "references" else sample(text=text_tokens(5)),
        sample(),
    ]
    other = twin(model, references=kept == "references", text=kept == "text")
    for a, b in zip(run(model, batch), run(other, batch), strict=True):
        assert torch.equal(a, b)


def mixed_batch():
    """Photos with both contexts, without text, without references, and without either."""
    return [
        sample(references(3, seed=1), text=text_tokens(4, seed=1)),
        sample(references(2, seed=2)),
        sample(text=text_tokens(9, seed=3)),
        sample(),
    ]


def test_company_in_the_batch_changes_nothing(model):
    """Longer captions beside it, more references, none at all: each photo gets what it gets alone."""
    maps = feature_maps(4)
    together = run(model, mixed_batch(), maps)
    for i, alone in enumerate(mixed_batch()):
        assert_same([x[:, i : i + 1] for x in together], run(model, [alone], maps[i : i + 1]))


@pytest.mark.parametrize("batch", [[0, 1], [1, 1], [2, 3], [3, 3]])
def test_training_reaches_every_parameter_whatever_the_batch_holds(model, batch):
    samples = [mixed_batch()[i] for i in batch]
    expected = run(model, samples)
    model.train()
    try:
        out = forward(model, samples)
        assert_same(out, expected)
        sum(x.sum() for x in out).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        used = model.context_encoders["text_tokens"].token_proj.weight.grad.abs().sum() > 0
        assert used == (2 in batch or 0 in batch)
    finally:
        model.zero_grad()
        model.eval()


def test_order_of_references_changes_nothing_beside_text(model):
    refs, text = references(5), text_tokens(4)
    other = refs[torch.tensor([3, 0, 4, 1, 2])]
    assert_same(run(model, [sample(refs, text=text)]), run(model, [sample(other, text=text)]))


def test_order_of_words_matters(model):
    text = text_tokens(6)
    assert difference(run(model, [sample(text=text)]), run(model, [sample(text=text.flip(0))])) > 1e-4


@pytest.mark.parametrize("name", NECKS)  # given crops are pooled from the map: test_grid_anchor_head.py
def test_photo_padding_changes_nothing(name):
    model = model_of(name, text=True)
    context = dict(refs=references(2), text=text_tokens(5), shape=(64, 64))
    alone = run(model, [sample(**context)], feature_maps(1, (4, 4)))
    padded = sample(**context)
    padded.set_metainfo(dict(batch_input_shape=(80, 96)))
    maps = torch.full((1, 32, 5, 6), 1e3, dtype=torch.float64)
    maps[..., :4, :4] = feature_maps(1, (4, 4))
    assert_same(run(model, [padded], maps), alone)


def project(state, prefix, tokens):
    """Π′ in plain operations: (n, d_t) to (n, d)."""
    d = state[f"{prefix}text_embedding"].numel()
    place, rate = torch.arange(len(tokens)).double(), 10_000 ** (-torch.arange(0, d, 2).double() / d)
    sine = torch.zeros(len(tokens), d, dtype=torch.float64)
    sine[:, 0::2], sine[:, 1::2] = (place[:, None] * rate).sin(), (place[:, None] * rate).cos()
    x = tokens.double() @ state[f"{prefix}token_proj.weight"].T + state[f"{prefix}token_proj.bias"]
    x = x + sine @ state[f"{prefix}token_pos_proj.weight"].T + state[f"{prefix}token_pos_proj.bias"]
    x = x + state[f"{prefix}text_embedding"]
    return F.layer_norm(x, (d,), state[f"{prefix}token_norm.weight"], state[f"{prefix}token_norm.bias"])


def attend(state, prefix, query, query_pos, context, context_pos, heads=4):
    """CrossAttn in plain operations, of one photo without masks: (p, d) reads (n, d)."""
    d = query.shape[1]

    def norm(x, name):
        return F.layer_norm(x, (d,), state[f"{prefix}{name}.weight"], state[f"{prefix}{name}.bias"])

    null = state[f"{prefix}null_token"][0]
    values, keys = torch.cat([null, context]), torch.cat([null, context + context_pos])
    weight, bias = state[f"{prefix}attn.in_proj_weight"], state[f"{prefix}attn.in_proj_bias"]
    q, k, v = (
        (x @ weight[i * d : (i + 1) * d].T + bias[i * d : (i + 1) * d]).unflatten(1, (heads, -1))
        for i, x in enumerate((norm(query, "query_norm") + query_pos, keys, values))
    )
    shares = torch.einsum("phc,nhc->hpn", q, k).div((d // heads) ** 0.5).softmax(-1)
    read = torch.einsum("hpn,nhc->phc", shares, v).flatten(1)
    out = read @ state[f"{prefix}attn.out_proj.weight"].T + state[f"{prefix}attn.out_proj.bias"]
    return norm(out, "out_norm")


def test_memory_is_the_papers_five_terms():
    """[f̃, Π(R), f_c, Π′(M), f′_c]: f̃ once, both contexts drawn from f̃, against plain operations."""
    model = variant("both", text=True)
    query = model.encode(model.photo_tokens(feature_maps(1), [sample()]))
    photo = sample(references(2), text=text_tokens(5))
    with torch.no_grad():
        memory = model.fuse(query, [photo])
        refs = model.context_encoders["references"]([photo.references], query.tokens)
        state = model.state_dict()
        text = project(state, "context_encoders.text_tokens.", photo.text_tokens)
        text_pos = state["context_encoders.text_tokens.text_embedding"].expand_as(text)
        f, pos = query.tokens[0], query.pos[0]
        terms = [
            f,
            refs.tokens[0],
            attend(state, "fusion.attentions.references.", f, pos, refs.tokens[0], refs.pos[0]),
            text,
            attend(state, "fusion.attentions.text_tokens.", f, pos, text, text_pos),
        ]
        places = [
            pos,
            refs.pos[0],
            pos + state["fusion.attended_embedding.references"],
            text_pos,
            pos + state["fusion.attended_embedding.text_tokens"],
        ]
    assert [len(term) for term in terms] == [24, 12, 24, 5, 24]
    torch.testing.assert_close(memory.tokens[0], torch.cat(terms), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(memory.pos[0], torch.cat(places), atol=1e-6, rtol=1e-6)
    assert not memory.mask.any()


@pytest.mark.parametrize("name", ["photo_grid", "channel_axis"])
def test_on_the_photos_raster_a_caption_is_the_mean_of_its_tokens(name):
    model = variant(name, text=True, references=False)
    photos = [sample(text=text_tokens(5)), sample(text=text_tokens(2, seed=1))]
    query = model.encode(model.photo_tokens(feature_maps(2), photos))
    with torch.no_grad():
        text = model.context_encoders["text_tokens"]([p.text_tokens for p in photos], query.tokens)
        memory = model.fuse(query, photos)
        means = torch.stack([text.tokens[0].mean(0), text.tokens[1, :2].mean(0)])
        cells = means.unsqueeze(1).expand(-1, 24, -1)
        if name == "photo_grid":
            torch.testing.assert_close(memory.tokens[:, 24:48], cells)
            return
        attended = model.fusion.attentions["text_tokens"](query, text)
        channels = torch.cat([query.tokens, cells, attended], -1)
        weight, bias = (model.state_dict()[f"fusion.projections.text_tokens.{n}"] for n in ("weight", "bias"))
        torch.testing.assert_close(memory.tokens, query.tokens + channels @ weight.T + bias)

"""Shares of attention against a plain computation from the weights, and what must hold for them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.models.layers.transformer.utils import coordinate_to_encoding

from procrop.inference import AttentionUndefinedError, record_attention, why_no_attention

sys.path.append(str(Path(__file__).parents[1] / "models"))

from builders import grid_cfg, references, sample, text_tokens  # noqa: E402
from fusion_variants import feature_maps, variant  # noqa: E402

SIZE = (192, 128)  # of the upright photo in `sample`


def answer(model, samples, maps=None):
    """As ProCrop.predict does it, behind the backbone."""
    samples = samples if isinstance(samples, list) else [samples]
    maps = feature_maps(len(samples)) if maps is None else maps
    with torch.no_grad():
        return model.predict(maps, samples)


def look(model, samples, boxes=None, photo=0):
    """Shares of all predicted crops, or of some boxes."""
    with record_attention(model) as record:
        found = answer(model, samples)
    return record.shares(found[photo].pred_instances.bboxes if boxes is None else boxes, SIZE, photo)


def whole(found):
    return found.references.sum(1) + found.photo + found.text + found.null


def softmax(query, key, masked):
    scores = query @ key.T
    scores[:, masked] = -torch.inf
    return torch.softmax(scores, dim=1)


def fusion_weights(module, query, context, masked):
    """(p, 1 + n), the mean over 4 heads."""
    d, heads = query.tokens.shape[2], 4
    asked = module.query_norm(query.tokens[0]) + query.pos[0]
    keys = torch.cat([module.null_token[0], context.tokens[0] + context.pos[0]])
    (wq, wk, _), (bq, bk, _) = module.attn.in_proj_weight.chunk(3), module.attn.in_proj_bias.chunk(3)
    q, k = (asked @ wq.T + bq).chunk(heads, 1), (keys @ wk.T + bk).chunk(heads, 1)
    masked = torch.cat([torch.tensor([False]), masked])
    return sum(softmax(a / (d / heads) ** 0.5, b, masked) for a, b in zip(q, k, strict=True)) / heads


def decoder_weights(head, memory):
    """(N, n), the mean over layers and heads: Conditional DETR's decoder, its cross-attention written out."""
    decoder, anchors, heads = head.decoder, head.query_embedding.weight, 4
    d = anchors.shape[1]
    tokens, pos = memory.tokens[0], memory.pos[0]
    masked = torch.zeros(len(tokens), dtype=torch.bool) if memory.mask is None else memory.mask[0]
    point = decoder.ref_point_head(anchors).sigmoid()
    sine = coordinate_to_encoding(point[None], num_feats=d // 2)[0]
    query, total = torch.zeros_like(anchors), 0
    for i, layer in enumerate(decoder.layers):
        scale = 1 if i == 0 else decoder.query_scale(query)
        query = layer.norms[0](
            layer.self_attn(query[None], query[None], anchors[None], key_pos=anchors[None])[0]
        )
        cross = layer.cross_attn
        q, k = cross.qcontent_proj(query), cross.kcontent_proj(tokens)
        if i == 0:
            q, k = q + cross.qpos_proj(anchors), k + cross.kpos_proj(pos)
        s, p, v = cross.qpos_sine_proj(sine * scale), cross.kpos_proj(pos), cross.v_proj(tokens)
        out = []
        for part in torch.arange(d).chunk(heads):
            both = torch.cat([q[:, part], s[:, part]], 1), torch.cat([k[:, part], p[:, part]], 1)
            weights = softmax(both[0] / (2 * d / heads) ** 0.5, both[1], masked)
            total = total + weights / heads / len(decoder.layers)
            out.append(weights @ v[:, part])
        query = layer.norms[1](query + cross.out_proj(torch.cat(out, 1)))
        query = layer.norms[2](layer.ffn(query[None])[0])
    return total


@torch.no_grad()
def by_hand(model, entry, references_, words):
    """(N, K + 3) in the order of the queries, path by path: K references of 6 tokens, photo, text, null."""
    maps, found = feature_maps(1), {}
    query = model.encode(model.photo_tokens(maps, [entry]))
    memory = model.fuse(query, [entry])
    weights = decoder_weights(model.bbox_head, memory)
    shares = torch.zeros(len(weights), references_ + 3, dtype=torch.float64)
    owner = {"references": [i // 6 for i in range(6 * references_)], "text_tokens": [references_ + 1] * words}
    place = 24
    shares[:, references_] = weights[:, :24].sum(1)
    for name in model.fusion.contexts:
        context = model.context_encoders[name]([entry.get(name)], query.tokens)
        found[name] = fusion_weights(model.fusion.attentions[name], query, context, context.mask[0])
        for token, column in enumerate(owner[name]):
            shares[:, column] += weights[:, place + token]
        place += len(owner[name])
        for i in range(24):
            shares[:, references_ + 2] += weights[:, place + i] * found[name][i, 0]
            for token, column in enumerate(owner[name]):
                shares[:, column] += weights[:, place + i] * found[name][i, 1 + token]
        place += 24
    assert place == weights.shape[1]
    return shares


@pytest.fixture(scope="module")
def model():
    return variant("both", text=True)


def entry(k=5, words=7):
    return sample(references(k), text=text_tokens(words))


def test_shares_equal_a_plain_computation_from_the_weights(model):
    found = look(model, entry())
    expected = by_hand(model, entry(), 5, 7)
    with torch.no_grad():
        logits = model._forward(feature_maps(1), [entry()])[0][-1, 0]
    expected = expected[logits.sigmoid().sort(descending=True, stable=True).indices].numpy()
    assert found.ids.tolist() == [0, 1, 2, 3, 4]
    together = np.column_stack([found.references, found.photo, found.text, found.null])
    np.testing.assert_allclose(together, expected, atol=1e-9)
    np.testing.assert_allclose(whole(found), 1, atol=1e-12)
    assert np.ptp(found.references[0]) > 1e-3 and np.ptp(found.photo) > 1e-3 and (together > 0).all()


DEFINED = ["both", "concat_only", "cross_attention_only", "mlp", "pooled_grid", "learned_queries"]


@pytest.mark.parametrize("name", DEFINED)
@pytest.mark.parametrize("what", ["image", "annotation", "both"])
def test_shares_have_the_sum_one_and_follow_their_references(name, what):
    model = variant(name, text=True, references=dict(what=what))
    refs, order = references(5, crops=3), torch.tensor([3, 0, 4, 1, 2])
    a = look(model, sample(refs, text=text_tokens(4)))
    b = look(model, sample(refs[order], text=text_tokens(4)))
    for found in (a, b):
        np.testing.assert_allclose(whole(found), 1, atol=1e-12)
        assert min(part.min() for part in (found.references, found.photo, found.text, found.null)) >= 0
    assert b.ids.tolist() == order.tolist() and np.ptp(a.references[0]) > 1e-4
    np.testing.assert_allclose(b.references, a.references[:, order], atol=1e-9)
    assert a.of(3) == pytest.approx(b.of(3), abs=1e-9) and a.of(99) == 0


def test_recording_changes_no_bit_and_leaves_nothing_behind(model):
    before, (alone,) = str(vars(model.bbox_head.decoder.layers[0].cross_attn)), answer(model, entry())
    with record_attention(model):
        (seen,) = answer(model, entry())
    (after,) = answer(model, entry())
    for other in (seen, after):
        assert torch.equal(alone.pred_instances.bboxes, other.pred_instances.bboxes)
        assert torch.equal(alone.pred_instances.scores, other.pred_instances.scores)
    assert str(vars(model.bbox_head.decoder.layers[0].cross_attn)) == before
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_an_error_inside_the_block_leaves_nothing_behind(model):
    with pytest.raises(KeyError), record_attention(model):
        raise KeyError
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert "forward_attn" not in vars(model.bbox_head.decoder.layers[1].cross_attn)


def test_a_record_inside_a_record_sees_the_same(model):
    with record_attention(model) as outer:
        inner = look(model, entry())
        (found,) = answer(model, entry())
    again = outer.shares(found.pred_instances.bboxes, SIZE)
    np.testing.assert_array_equal(again.references, inner.references)


def test_copies_of_a_reference_share_one_figure(model):
    refs = references(3)
    plain = look(model, sample(refs))
    copied = look(model, sample(refs[torch.tensor([0, 1, 1, 1, 2])]))
    renamed = refs[torch.tensor([0, 1, 1, 1, 2])]
    renamed.ids = torch.tensor([0, 1, 11, 12, 2])
    single = look(model, sample(renamed))
    assert copied.ids.tolist() == [0, 1, 2] and copied.references.shape == plain.references.shape
    np.testing.assert_allclose(copied.references[:, 1], single.references[:, 1:4].sum(1), atol=1e-12)
    np.testing.assert_allclose(single.references[:, 1], single.references[:, 2], atol=1e-9)
    assert copied.of(1) > plain.of(1)


def test_an_absent_reference_has_no_share(model):
    refs = references(4)
    refs.mask[2], refs.ids[3], refs.mask[3] = True, -1, True
    found = look(model, sample(refs))
    assert found.ids.tolist() == [0, 1] and found.of(2) == 0
    np.testing.assert_allclose(whole(found), 1, atol=1e-12)
    np.testing.assert_allclose(found.references, look(model, sample(references(4)[:2])).references, atol=1e-9)


@pytest.mark.parametrize(("k", "words"), [(0, 0), (3, 0), (0, 4)])
def test_what_is_absent_has_no_share(model, k, words):
    found = look(model, sample(references(k) if k else None, text=text_tokens(words) if words else None))
    np.testing.assert_allclose(whole(found), 1, atol=1e-12)
    assert found.references.shape == (5, k) and (found.text > 0).all() == bool(words)
    assert (found.null > 0).all() == bool(k or words)
    if not (k or words):
        np.testing.assert_allclose(found.photo, 1, atol=1e-12)


def test_each_photo_of_a_batch_has_its_own(model):
    batch = [sample(references(2, seed=1)), sample(), sample(references(5, seed=2), text=text_tokens(3))]
    maps = feature_maps(3)
    with record_attention(model) as record:
        found = answer(model, batch, maps)
    for number, one in enumerate(batch):
        boxes = found[number].pred_instances.bboxes
        together = record.shares(boxes, SIZE, number)
        with record_attention(model) as alone:
            answer(model, one, maps[number : number + 1])
        single = alone.shares(boxes.numpy(), SIZE)
        assert together.ids.tolist() == single.ids.tolist() == list(range((2, 0, 5)[number]))
        np.testing.assert_allclose(together.references[0], single.references[0], atol=1e-6)
        np.testing.assert_allclose(together.photo[0], single.photo[0], atol=1e-6)


def test_a_reference_that_alone_matters_has_all_of_the_attention():
    """Every key is 0 but for the third reference's tokens: theirs meet each query with the largest product."""
    model = variant("both")
    encoder, fusion, head = model.context_encoders.references, model.fusion, model.bbox_head
    with torch.no_grad():
        for layer in head.decoder.layers:
            cross = layer.cross_attn
            for part in (cross.qcontent_proj, cross.kcontent_proj, cross.kpos_proj, cross.qpos_proj):
                if part is not None:
                    part.weight.zero_(), part.bias.zero_()
            cross.qcontent_proj.bias.fill_(1)
            cross.kcontent_proj.weight[:, 0] = 40  # the first feature is the mark of the one that matters
        fusion.attentions.references.attn.in_proj_weight.zero_()
        fusion.attentions.references.attn.in_proj_bias.zero_()
        fusion.attentions.references.attn.in_proj_bias[:32] = 1
        fusion.attentions.references.attn.in_proj_weight[32:64, 0] = 40
        encoder.register_forward_hook(_mark_third)
        model.encoder = None
    maps = feature_maps(1)
    maps[:, 0] = 0
    with record_attention(model) as record:
        (found,) = answer(model, sample(references(5)), maps)
    got = record.shares(found.pred_instances.bboxes, SIZE)
    assert (got.references[:, 2] > 0.99).all() and got.references[:, [0, 1, 3, 4]].max() < 0.01


def _mark_third(_, __, out):
    out.tokens[..., 0] = 0
    out.tokens[:, 12:18, 0] = 40
    out.pos[..., 0] = 0


def test_a_box_for_a_ratio_has_the_mean_of_those_that_vote_for_it(model):
    every = look(model, entry())
    (found,) = answer(model, entry())
    with torch.no_grad():
        logits, boxes = (part[-1, 0] for part in model._forward(feature_maps(1), [entry()]))
    order = logits.argsort(descending=True)
    scores, boxes = logits[order].sigmoid().numpy(), boxes[order].double().numpy() * np.array([*SIZE, *SIZE])
    own = np.column_stack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2])
    box = np.array([30.0, 20, 150, 110])
    got = look(model, entry(), box[None])
    inner = np.minimum(own[:, 2:], box[2:]) - np.maximum(own[:, :2], box[:2])
    inner = np.clip(inner, 0, None).prod(1)
    votes = scores * (inner / ((own[:, 2:] - own[:, :2]).prod(1) + 120 * 90 - inner)) ** 4
    np.testing.assert_allclose(got.references[0], votes @ every.references / votes.sum(), atol=1e-4)
    np.testing.assert_allclose(whole(got), 1, atol=1e-6)


def test_a_box_that_no_prediction_touches_has_no_shares(model):
    (found,) = answer(model, entry())
    corner = found.pred_instances.bboxes.min(0).values[:2].numpy()
    if (corner <= 0).any():
        corner = np.array([-30.0, -30.0])
    got = look(model, entry(), np.array([[*(corner - 2), *(corner - 1)]]))
    assert np.isnan(got.references).all() and np.isnan(got.photo).all()


def test_queries_with_one_and_the_same_box_keep_their_own_shares():
    model = variant("both")
    with torch.no_grad():
        model.bbox_head.reg_branch.layers[-1].weight.zero_()
        model.bbox_head.decoder.ref_point_head.layers[-1].weight.zero_()
    (found,) = answer(model, sample(references(3)))
    boxes = found.pred_instances.bboxes
    assert (boxes == boxes[0]).all()
    got = look(model, sample(references(3)))
    expected = by_hand(model, sample(references(3)), 3, 0).numpy()
    assert sorted(got.photo) == pytest.approx(sorted(expected[:, 3]), abs=1e-9) and np.ptp(got.photo) > 1e-6


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("photo_grid", "averaged"),
        ("channel_axis", "ChannelFusionNeck mixes"),
        ("channel_attended", "ChannelFusionNeck mixes"),
        ("before_encoder", "before the encoder"),
    ],
)
def test_where_it_is_not_defined_the_message_says_why(name, reason):
    model = variant(name)
    assert reason in why_no_attention(model)
    with pytest.raises(AttentionUndefinedError, match=f"not defined for this model: .*{reason}"):
        with record_attention(model):
            pass


def test_a_head_without_decoder_is_told_by_name():
    with pytest.raises(AttentionUndefinedError, match="GridAnchorHead has no decoder"):
        with record_attention(variant("both", make=grid_cfg)):
            pass
    assert "Linear has no decoder" in why_no_attention(torch.nn.Linear(1, 1))


def test_training_mode_and_a_missing_call_are_errors(model):
    with record_attention(model) as record:
        pass
    with pytest.raises(RuntimeError, match="call the model's head inside"):
        record.shares(np.array([[0, 0, 9, 9]]), SIZE)
    with torch.no_grad():
        features = model.extract_memory(feature_maps(1), [entry()])
        with record_attention(model) as record:
            model.bbox_head.predict(features, [entry()])
    with pytest.raises(RuntimeError, match="call both inside"):
        record.shares(np.array([[0, 0, 9, 9]]), SIZE)
    model.train()
    try:
        with pytest.raises(ValueError, match="evaluation mode"), record_attention(model):
            pass
    finally:
        model.eval()

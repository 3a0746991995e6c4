"""Π′, the encoder of image-text tokens: what it takes, gives and refuses."""

import pytest
import torch
from builders import build, text_tokens

from procrop.structures import TokenSet

LIKE = torch.zeros(1)


def encoder(**options):
    torch.manual_seed(0)
    cfg = dict(type="TextContextEncoder", in_channels=8, embed_dims=32)
    return build(cfg | options).eval()


def test_captions_are_padded_and_what_is_padded_or_absent_is_masked():
    given = [text_tokens(3), None, text_tokens(5, seed=1), text_tokens(0)]
    found = encoder()(given, LIKE)
    assert isinstance(found, TokenSet)
    assert found.tokens.shape == found.pos.shape == (4, 5, 32)
    assert found.tokens.dtype == torch.float32
    assert (~found.mask).sum(1).tolist() == [3, 0, 5, 0] and not found.mask[0, :3].any()
    alone = encoder()(given[:1], LIKE)
    torch.testing.assert_close(found.tokens[0, :3], alone.tokens[0], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("given", [[None, None], [text_tokens(0), None]])
def test_no_text_is_none_or_in_training_an_empty_set_that_every_weight_has_part_in(given):
    model = encoder(projection="mlp")
    assert model(given, LIKE) is None
    found = model.train()(given, LIKE)
    assert found.tokens.shape == (2, 0, 32) and found.mask.shape == (2, 0)
    (found.tokens.sum() + found.pos.sum()).backward()
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("positions", ["none", "content", "both"])
def test_where_the_place_in_the_caption_shows(positions):
    same = text_tokens(1).expand(4, -1)
    found = encoder(positions=positions)([same], LIKE)
    content, keys = (x[0, 1:] - x[0, :1] for x in (found.tokens, found.pos))
    assert (content.abs().max() > 1e-2) == (positions != "none")
    assert (keys.abs().max() > 1e-2) == (positions == "both")
    names = {n.split(".")[0] for n in encoder(positions=positions).state_dict()}
    assert ("token_pos_proj" in names) == (positions != "none")


def test_like_gives_the_type():
    model = encoder().double()
    assert model([text_tokens(3)], LIKE.double()).tokens.dtype == torch.float64


def test_the_mlp_is_two_layers_with_a_kink():
    model, x = encoder(projection="mlp").token_proj, torch.randn(5, 8)
    first, second = model[0], model[2]
    hidden = (x @ first.weight.T + first.bias).clamp(min=0)
    torch.testing.assert_close(model(x), hidden @ second.weight.T + second.bias)


def test_dropout_is_at_work_in_training_alone():
    model = encoder(dropout=0.5)
    text = [text_tokens(20)]
    assert torch.equal(model(text, LIKE).tokens, encoder()(text, LIKE).tokens)
    share = (model.train()(text, LIKE).tokens == 0).float().mean()
    assert 0.35 < share < 0.65


@pytest.mark.parametrize("wrong", [text_tokens(3, channels=9), torch.zeros(8), torch.zeros(1, 3, 8)])
def test_tokens_of_another_encoder_are_refused(wrong):
    with pytest.raises(ValueError, match="another text encoder .*tools/text.py build"):
        encoder()([text_tokens(2), wrong], LIKE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(projection="conv"), "projection='conv'"),
        (dict(positions="learned"), "positions='learned'"),
        (dict(in_channels=None), "in_channels is open"),
    ],
)
def test_unknown_options_are_refused(options, words):
    with pytest.raises(ValueError, match=f"TextContextEncoder: .*{words}"):
        encoder(**options)

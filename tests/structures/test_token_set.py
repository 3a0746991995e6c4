"""Token sets: what cat fills in and what it refuses."""

import pytest
import torch

from procrop.structures import TokenSet


def _tokens(n, fill=1.0, batch=2, dim=3):
    return torch.full((batch, n, dim), fill)


def test_cat_keeps_order_and_invents_nothing():
    joined = TokenSet.cat([TokenSet(_tokens(2, 1.0)), TokenSet(_tokens(3, 2.0))])
    assert joined.num_tokens == 5
    assert joined.tokens[0, :, 0].tolist() == [1, 1, 2, 2, 2]
    assert joined.pos is None and joined.mask is None


def test_cat_fills_in_zero_positions_and_open_masks_where_another_set_has_them():
    mask = torch.tensor([[True], [False]])
    joined = TokenSet.cat([TokenSet(_tokens(2), pos=_tokens(2, 7.0)), TokenSet(_tokens(1), mask=mask)])
    assert joined.pos[1, :, 2].tolist() == [7, 7, 0]
    assert joined.mask.tolist() == [[False, False, True], [False, False, False]]
    assert joined.mask.dtype == torch.bool


def test_cat_passes_gradients():
    tokens = _tokens(2).requires_grad_()
    TokenSet.cat([TokenSet(tokens), TokenSet(_tokens(1))]).tokens.sum().backward()
    assert torch.equal(tokens.grad, torch.ones(2, 2, 3))


def test_an_empty_set_joins():
    assert TokenSet.cat([TokenSet(_tokens(0)), TokenSet(_tokens(4))]).num_tokens == 4


def test_disagreements_are_told():
    with pytest.raises(ValueError, match="at least one"):
        TokenSet.cat([])
    with pytest.raises(ValueError, match=r"share \(B, d\)"):
        TokenSet.cat([TokenSet(_tokens(2)), TokenSet(_tokens(2, dim=4))])
    with pytest.raises(ValueError, match="mask must be bool"):
        TokenSet(_tokens(2), mask=torch.zeros(2, 2))
    with pytest.raises(ValueError, match="mask must be"):
        TokenSet(_tokens(2), mask=torch.zeros(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="pos must have"):
        TokenSet(_tokens(2), pos=_tokens(3))
    with pytest.raises(ValueError, match="must be"):
        TokenSet(torch.zeros(2, 3))

"""Π′(M): the image-text tokens of a batch become tokens of the model's width."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from procrop.registry import MODELS
from procrop.structures import TokenSet

from ..layers import PROJECTIONS, token_projection

_POSITIONS = ("none", "content", "both")


@MODELS.register_module()
class TextContextEncoder(BaseModule):
    """The learnable projection Π′ of image-text tokens (paper, feature fusion; text embeddings of Table 6).

    Every token knows its place in the caption and that it comes from text. It speaks of the whole photo: where a neck
    wants contexts on the photo's raster, a token is a raster of one cell, so that the mean over a caption's tokens
    stands in every cell.

    Places are sines of the token's number, not learned vectors: captions differ in length from encoder to encoder, and
    late places, which few captions reach, would hardly be trained. By default they show in the content alone. In the
    keys the decoder compares them with places in the photo, where a word has none.

    Args:
        in_channels (int, optional): Width d_t of the stored tokens. None, in a config, is filled in from the text
            folder of the data when a Runner is made of it.
        embed_dims (int): Model width d, even.
        projection (str): "linear", or "mlp" of two layers.
        positions (str): Where the place in the caption shows: in the "content", in "both" content and keys, or
            nowhere, "none".
        dropout (float): Dropout on the projected tokens.

    Raises:
        ValueError: An option is unknown, or the width is open.
    """

    def __init__(
        self,
        in_channels: int | None = None,
        embed_dims: int = 256,
        projection: str = "linear",
        positions: str = "content",
        dropout: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        for name, value, known in (
            ("projection", projection, PROJECTIONS),
            ("positions", positions, _POSITIONS),
        ):
            if value not in known:
                raise ValueError(f"TextContextEncoder: {name}={value!r} is none of {known}")
        if in_channels is None:
            raise ValueError(
                "TextContextEncoder: in_channels is open; set it to the token_dim of the text encoder"
            )
        self.in_channels, self.embed_dims, self.positions = in_channels, embed_dims, positions
        self.token_proj = token_projection(projection, in_channels, embed_dims)
        self.token_pos_proj = nn.Linear(embed_dims, embed_dims) if positions != "none" else None
        self.token_norm = nn.LayerNorm(embed_dims)
        self.text_embedding = nn.Parameter(torch.zeros(embed_dims))
        nn.init.normal_(self.text_embedding, std=0.02)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text_tokens: Sequence[Tensor | None], like: Tensor) -> TokenSet | None:
        """Project a batch of captions.

        Args:
            text_tokens (Sequence[Tensor | None]): M of each photo, (m', d_t) of any floating dtype; m' differs from
                photo to photo. None or m' = 0 where a photo has no text.
            like (Tensor): Gives device and floating dtype.

        Returns:
            TokenSet | None: (B, n, d) with n the batch's largest m', what is absent or padded masked. If no photo has
            text, None, or in training an empty set, so that every parameter has a gradient.

        Raises:
            ValueError: Tokens have another width than the model expects.
        """
        tokens, mask = self._stack(text_tokens, like)
        if tokens.shape[1] == 0 and not self.training:
            return None
        return self.project(tokens, mask)

    def project(self, tokens: Tensor, mask: Tensor) -> TokenSet:
        """Project captions that are stacked already: tokens (B, n, d_t), and their mask (B, n), True = padded."""
        content, pos = self.token_proj(tokens), self.text_embedding.expand(*tokens.shape[:2], -1)
        content = content + self.text_embedding
        if self.token_pos_proj is not None:
            places = _sine_places(tokens.shape[1], self.embed_dims, content)
            content = content + self.token_pos_proj(places)
            pos = pos + places if self.positions == "both" else pos
        return TokenSet(self.dropout(self.token_norm(content)), pos, mask, grid=(1, 1))

    def _stack(self, text_tokens: Sequence[Tensor | None], like: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, n, d_t), zero where padded, and their mask (B, n)."""
        lengths = [0 if tokens is None else len(tokens) for tokens in text_tokens]
        stacked = like.new_zeros(len(lengths), max(lengths, default=0), self.in_channels)
        mask = torch.ones(stacked.shape[:2], dtype=torch.bool, device=like.device)
        for i, tokens in enumerate(text_tokens):
            if lengths[i] == 0:
                continue
            if tokens.ndim != 2 or tokens.shape[1] != self.in_channels:
                raise ValueError(
                    f"text tokens have shape {tuple(tokens.shape)}, the model expects (m', {self.in_channels}): they "
                    "were made by another text encoder than the model was built for; make the text folder with its "
                    "encoder (tools/text.py build), or train a model with in_channels of this width"
                )
            stacked[i, : lengths[i]] = tokens.to(stacked)
            mask[i, : lengths[i]] = False
        return stacked, mask


def _sine_places(number: int, embed_dims: int, like: Tensor) -> Tensor:
    """Sines and cosines of the places 0, 1, ... (Vaswani et al. 2017), (number, embed_dims)."""
    rates = 10_000.0 ** (-torch.arange(0, embed_dims, 2, device=like.device) / embed_dims)
    angles = torch.arange(number, device=like.device).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).to(like.dtype)

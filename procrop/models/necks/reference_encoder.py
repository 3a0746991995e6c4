"""Π(R): the references of a batch become tokens of the model's width."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.layers.transformer.utils import coordinate_to_encoding
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from procrop.registry import MODELS
from procrop.structures import TokenSet

from ..layers import PROJECTIONS, TokenResampler, token_projection
from .reference_batch import ReferenceBatch

_KINDS = ("image", "annotation", "both")


@MODELS.register_module()
class ReferenceEncoder(BaseModule):
    """The learnable projection Π of retrieved references (paper, feature fusion; retrieval sources of Table 5).

    A reference is seen as its image (m tokens of the retrieval backbone), as its annotation (one token for each
    of its crop boxes), or as both. Every token knows where in its reference it lies (2-D sine positions, in the
    content as well as in the keys), of which kind it is, and how similar its reference is to the photo; the
    rank of a reference is not encoded, so the order of the references changes nothing.

    The paper leaves open how Π is built; its appendix compares such alignments. The options below are the readings:
    one linear map (the default) or a small MLP, a coarser grid, a fixed number of tokens, and Π without what it
    knows of positions or similarity.

    Args:
        in_channels (int, optional): Width d_r of the stored tokens. None, in a config, is filled in from the
            gallery of the data when a Runner is made of it.
        embed_dims (int): Model width d, even.
        token_grid (tuple[int, int], optional): (rows, columns) of a reference's token grid; rows * columns = m.
            None as for ``in_channels``.
        pooled_grid (tuple[int, int], optional): Average the grid down to this one first.
        what (str): "image", "annotation" or "both".
        dropout (float): Dropout on the projected tokens.
        projection (str): "linear", or "mlp" of two layers, of the stored tokens.
        positions (bool): Whether tokens know where in their reference they lie. Crop boxes are places by themselves:
            of them only the keys lose it.
        similarity (bool): Whether tokens know how similar their reference is.
        num_latents (int, optional): Let this number of learned queries read all tokens of a photo, and return these.
        num_heads (int): Attention heads of those queries.

    Raises:
        ValueError: An option is unknown, or the token shape is open.
    """

    def __init__(
        self,
        in_channels: int | None = None,
        embed_dims: int = 256,
        token_grid: tuple[int, int] | None = None,
        pooled_grid: tuple[int, int] | None = None,
        what: str = "image",
        dropout: float = 0.0,
        projection: str = "linear",
        positions: bool = True,
        similarity: bool = True,
        num_latents: int | None = None,
        num_heads: int = 8,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if what not in _KINDS:
            raise ValueError(f"ReferenceEncoder: what={what!r} is none of {_KINDS}")
        if projection not in PROJECTIONS:
            raise ValueError(f"ReferenceEncoder: projection={projection!r} is none of {PROJECTIONS}")
        if what != "annotation" and (in_channels is None or token_grid is None):
            raise ValueError(
                "ReferenceEncoder: in_channels and token_grid are open; set them to the gallery's token shape"
            )
        self.in_channels, self.embed_dims, self.what = in_channels, embed_dims, what
        self.positions = positions
        self.token_grid, self.pooled_grid = (
            token_grid and tuple(token_grid),
            pooled_grid and tuple(pooled_grid),
        )
        if what != "annotation":
            self.token_proj = token_projection(projection, in_channels, embed_dims)
            self.token_pos_proj = nn.Linear(embed_dims, embed_dims) if positions else None
            self.token_norm = nn.LayerNorm(embed_dims)
            self.image_embedding = nn.Parameter(torch.zeros(embed_dims))
            nn.init.normal_(self.image_embedding, std=0.02)
        if what != "image":
            self.crop_proj = nn.Sequential(
                nn.Linear(2 * embed_dims + 1, embed_dims), nn.ReLU(), nn.Linear(embed_dims, embed_dims)
            )
            self.crop_norm = nn.LayerNorm(embed_dims)
            self.crop_embedding = nn.Parameter(torch.zeros(embed_dims))
            nn.init.normal_(self.crop_embedding, std=0.02)
        self.similarity_proj = nn.Linear(1, embed_dims) if similarity else None
        self.dropout = nn.Dropout(dropout)
        self.resampler = TokenResampler(num_latents, embed_dims, num_heads) if num_latents else None

    def forward(self, references: Sequence[InstanceData | None], like: Tensor) -> TokenSet | None:
        """Project a batch of references.

        Args:
            references (Sequence[InstanceData | None]): One entry a photo, None where it has none: ``scores``
                (K,), ``mask`` (K,) True = absent, ``tokens`` (K, m, d_r), and for annotations ``crops``
                (K, c, 4) normalised cxcywh of the reference, ``crop_scores`` (K, c), ``crop_mask`` (K, c).
                K and c may differ between photos.
            like (Tensor): Gives device and floating dtype.

        Returns:
            TokenSet | None: (B, n, d) with n = K·m + K·c at the batch's largest K and c, or n = num_latents; images
            alone lie on K rasters. If no photo has any reference, None, or in training an empty (or wholly masked)
            set, so that every parameter has a gradient.

        Raises:
            ValueError: References lack what this encoder needs, or their tokens have another shape.
        """
        batch = ReferenceBatch(references, like)
        if batch.num_slots == 0 and not self.training:
            return None
        return self.project(batch)

    def project(self, batch: ReferenceBatch) -> TokenSet:
        """Project references that are stacked already; without any the set is empty. See :meth:`forward`."""
        sets = []
        if self.what != "annotation":
            sets.append(self._image_tokens(batch))
        if self.what != "image":
            sets.append(self._crop_tokens(batch))
        merged = TokenSet.cat(sets)
        merged = TokenSet(self.dropout(merged.tokens), merged.pos, merged.mask, merged.grid)
        return merged if self.resampler is None else self.resampler(merged)

    def owners(self, references: Sequence[InstanceData | None]) -> Tensor:
        """Which reference each token of :meth:`forward` belongs to, before learned queries read them: (n,) int64.

        References are numbered as each photo lists them, from 0 to the batch's largest K - 1.
        """
        present = [row for row in references if row is not None and len(row)]
        slots = torch.arange(max((len(row) for row in present), default=0))
        counts = []
        if self.what != "annotation":
            rows, columns = self.pooled_grid or self.token_grid
            counts.append(rows * columns)
        if self.what != "image":
            counts.append(max((row.crops.shape[1] for row in present), default=0))
        return torch.cat([slots.repeat_interleave(count) for count in counts])

    def _image_tokens(self, batch: ReferenceBatch) -> TokenSet:
        tokens = batch.stack("tokens", (self.token_grid[0] * self.token_grid[1], self.in_channels))
        tokens, grid = self._pool(tokens)
        b, k, m, _ = tokens.shape
        content, pos = self.token_proj(tokens), self.image_embedding
        if self.positions:
            sine = self._grid_positions(grid, tokens)  # (m, d)
            content, pos = content + self.token_pos_proj(sine), sine + pos
        content = self.token_norm(content + (self._similarity(batch) + self.image_embedding))
        pos = pos.expand(b, k, m, -1)
        mask = batch.mask.unsqueeze(-1).expand(b, k, m)
        return TokenSet(content.flatten(1, 2), pos.flatten(1, 2), mask.flatten(1), grid)

    def _crop_tokens(self, batch: ReferenceBatch) -> TokenSet:
        crops = batch.stack("crops", (None, 4))  # (B, K, c, 4)
        scores = batch.stack("crop_scores", (None,))
        mask = batch.stack("crop_mask", (None,), pad=True) | batch.mask.unsqueeze(-1)
        half = self.embed_dims // 2
        sine = coordinate_to_encoding(crops.flatten(0, 1), num_feats=half).view(*crops.shape[:3], 4 * half)
        content = self.crop_proj(torch.cat([sine, scores.unsqueeze(-1)], dim=-1))
        content = self.crop_norm(content + self._similarity(batch) + self.crop_embedding)
        centre = sine[..., : self.embed_dims] if self.positions else torch.zeros_like(content)
        pos = centre + self.crop_embedding
        return TokenSet(content.flatten(1, 2), pos.flatten(1, 2), mask.flatten(1))

    def _similarity(self, batch: ReferenceBatch) -> Tensor | float:
        """What similarities add to all tokens of a reference, (B, K, 1, d)."""
        if self.similarity_proj is None:
            return 0.0
        return self.similarity_proj(batch.scores.unsqueeze(-1)).unsqueeze(2)

    def _pool(self, tokens: Tensor) -> tuple[Tensor, tuple[int, int]]:
        if self.pooled_grid is None:
            return tokens, self.token_grid
        b, k, _, c = tokens.shape
        grid = tokens.flatten(0, 1).transpose(1, 2).unflatten(2, self.token_grid)
        pooled = F.adaptive_avg_pool2d(grid, self.pooled_grid).flatten(2).transpose(1, 2)
        return pooled.view(b, k, *pooled.shape[1:]), self.pooled_grid

    def _grid_positions(self, grid: tuple[int, int], like: Tensor) -> Tensor:
        rows = (torch.arange(grid[0], device=like.device, dtype=like.dtype) + 0.5) / grid[0]
        cols = (torch.arange(grid[1], device=like.device, dtype=like.dtype) + 0.5) / grid[1]
        y, x = torch.meshgrid(rows, cols, indexing="ij")
        points = torch.stack([x, y], dim=-1).view(1, -1, 2)
        return coordinate_to_encoding(points, num_feats=self.embed_dims // 2)[0].to(like.dtype)

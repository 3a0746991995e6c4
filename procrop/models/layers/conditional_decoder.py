"""Conditional DETR's decoder at any model width."""

from mmdet.models.layers import ConditionalDetrTransformerDecoder
from mmdet.models.layers.transformer.utils import coordinate_to_encoding
from torch import Tensor, stack


class ConditionalCropDecoder(ConditionalDetrTransformerDecoder):
    """mmdet's Conditional DETR decoder without its fixed width.

    mmdet encodes reference points with 128 sine features an axis, which ties it to a model width of 256. Here
    the count follows the width; at 256 both decoders give the same output for the same weights.
    """

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        query_pos: Tensor,
        key_pos: Tensor,
        key_padding_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Decode the queries against the memory.

        Args:
            query (Tensor): Content of the queries, (B, N, d).
            key (Tensor): The memory, (B, n, d).
            query_pos (Tensor): The learnable anchors, (B, N, d).
            key_pos (Tensor): Positional encoding of the memory, (B, n, d).
            key_padding_mask (Tensor, optional): (B, n) bool, True = ignore.

        Returns:
            tuple: hidden states (L, B, N, d), one per layer, and reference points (B, N, 2), (x, y) in [0, 1]
            of the unpadded photo.
        """
        reference = self.ref_point_head(query_pos).sigmoid()
        sine = coordinate_to_encoding(reference, num_feats=self.embed_dims // 2)
        states = []
        for i, layer in enumerate(self.layers):
            scale = 1 if i == 0 else self.query_scale(query)
            query = layer(
                query,
                key=key,
                query_pos=query_pos,
                key_pos=key_pos,
                key_padding_mask=key_padding_mask,
                ref_sine_embed=sine * scale,
                is_first=(i == 0),
            )
            states.append(self.post_norm(query))
        return stack(states), reference

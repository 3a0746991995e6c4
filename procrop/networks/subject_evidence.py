"""Where a frozen ImageNet classifier sees things: two maps of a photo that need no training."""

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from .efficientnet_lite import EfficientNetLite

STRIDE = 16
_HEAD_STRIDE = 32
_FLOOR = (1.0, 0.5)  # times its mean is taken off the map: of the energy, of the class evidence
_TINY = 1e-6


class SubjectLook(NamedTuple):
    """What one pass of photos through the network gives.

    Attributes:
        maps: (B, 2, ceil(H / 16), ceil(W / 16)), energy and class evidence.
        stage: (B, C, ...) of the same cells: the features that the maps were made of.
    """

    maps: Tensor
    stage: Tensor


def subject_evidence(network: "EfficientNetLite", x: Tensor) -> SubjectLook:
    r"""Two maps that tell where the subject is, and the features that they were made of.

    .. code-block:: text

        photo ─► EfficientNet-lite ─┬─ stride 16: length of the feature vector ─────────────► less its mean ──┐
                                    └─ 1x1 head: w·h, w = Σ p_k w_k - mean_k w_k ─► 2x ─► less half its mean ─┴► maps

    The first says where there is anything at all. The second is a class activation map (Zhou et al. 2016) for the
    photo's own class probabilities p instead of one class: what speaks for what the photo probably shows, rather than
    for any class. Both are cut off below and divided by their mean, so that they have a mean of 1 over the photo, or
    are 0 where nothing stands out.

    Args:
        network: With its head, and 16 as its last ``out_strides``.
        x: (B, 3, H, W) normalised RGB, padded right and below with 0, which the maps do not see; rows and columns of
            the photo there that have exactly the mean colour are taken for padding.

    """
    stages, head = network.forward_with_head(x)
    stage = stages[-1]
    used = F.max_pool2d(x.abs().amax(dim=1, keepdim=True), STRIDE, ceil_mode=True)
    coarse = F.max_pool2d(used, _HEAD_STRIDE // STRIDE, ceil_mode=True)
    inside = _photo_cells(used, stage), _photo_cells(coarse, head)
    energy = _standing_out(stage.norm(dim=1, keepdim=True), inside[0], _FLOOR[0])
    evidence = _standing_out(_class_evidence(network, head, inside[1]), inside[1], _FLOOR[1])
    evidence = F.interpolate(evidence, size=stage.shape[-2:], mode="bilinear", align_corners=False)
    return SubjectLook(torch.cat([energy, evidence * inside[0]], dim=1), stage)


def look_fingerprint(network: "EfficientNetLite") -> str:
    """Hex SHA-256 of variant and weights, rounded to half precision: equal for networks that see the same, one of
    which may come from a file that keeps its weights in half precision.

    Raises:
        ValueError: The batch norm is folded, so the weights as a file has them are gone.
    """
    if network.stem.is_folded:
        raise ValueError("look_fingerprint: the batch norm is folded; ask before fold_batch_norm")
    digest = hashlib.sha256(network.variant.encode())
    for name, value in sorted(network.state_dict().items()):
        if value.is_floating_point():  # no counters of training steps
            digest.update(name.encode() + value.detach().cpu().half().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _class_evidence(network: "EfficientNetLite", head: Tensor, inside: Tensor) -> Tensor:
    """(B, 1, h, w), at least 0: what the head's map (B, 1280, h, w) says for the photo's classes."""
    classifier = network.classifier
    pooled = (head * inside).sum(dim=(2, 3)) / _cells(inside).flatten(1)
    probable = classifier(pooled).softmax(dim=1)
    weights = probable @ classifier.weight - classifier.weight.mean(dim=0)
    return torch.einsum("bchw,bc->bhw", head, weights).clamp(min=0).unsqueeze(1)


def _photo_cells(used: Tensor, like: Tensor) -> Tensor:
    """(B, 1, h, w) 1 or 0: whether a cell of a map reaches into the photo; ``used`` is above 0 where a pixel of the
    cell is."""
    rows = up_to_the_last(used.amax(dim=3, keepdim=True), 2)
    return (rows & up_to_the_last(used.amax(dim=2, keepdim=True), 3)).to(like.dtype)


def _cells(inside: Tensor) -> Tensor:
    """(B, 1, 1, 1) number of a photo's cells; 1 where all of it counts as padding, so that its maps are 0."""
    return inside.sum(dim=(2, 3), keepdim=True).clamp(min=1)


def up_to_the_last(level: Tensor, axis: int) -> Tensor:
    """Bool: everything along an axis up to the last entry above 0."""
    return level.flip(axis).cumsum(axis).flip(axis) > 0


def _standing_out(level: Tensor, inside: Tensor, floor: float) -> Tensor:
    """What of a map (B, 1, h, w) is above ``floor`` times its mean over the photo, divided by the mean of that."""
    cells = _cells(inside)
    mean = (level * inside).sum(dim=(2, 3), keepdim=True) / cells
    above = (level - floor * mean).clamp(min=0) * inside
    return above / (above.sum(dim=(2, 3), keepdim=True) / cells).clamp(min=_TINY)

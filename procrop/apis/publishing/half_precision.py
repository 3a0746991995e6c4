"""How far the predictions of published weights are from those of the training's checkpoint."""

import os
from pathlib import Path

import numpy as np

from procrop.inference import CropInferencer, CropResult
from procrop.retrieval import Gallery

PHOTOS = 5  # evenly through the gallery


def largest_difference(
    checkpoint: str | os.PathLike, published: Path, gallery: Gallery, photos: int = PHOTOS
) -> dict[str, float]:
    """Crop some photos of the gallery with both, on the CPU.

    Args:
        checkpoint: of the training.
        published: the same as it is published.
        gallery: what both take their references from.
        photos: how many photos.

    Returns:
        "boxes" and "scores": the largest distance of a crop of the checkpoint from the nearest crop of the published
        weights, edges as shares of the photo's sides. Crops of one score may change places, so ranks are not compared.
    """
    croppers = [CropInferencer(path, gallery.folder, device="cpu") for path in (checkpoint, published)]
    worst = dict(boxes=0.0, scores=0.0)
    rows = np.linspace(0, len(gallery) - 1, min(photos, len(gallery))).round().astype(int)
    for path in (gallery.photo_path(int(row)) for row in np.unique(rows)):
        one, other = (_predicted(cropper.crop(path, top_k=cropper.num_queries)) for cropper in croppers)
        gaps = np.abs(one[:, None] - other[None])
        nearest = gaps.max(axis=2).argmin(axis=1)
        gap = gaps[np.arange(len(one)), nearest]
        worst["boxes"] = max(worst["boxes"], float(gap[:, :4].max()))
        worst["scores"] = max(worst["scores"], float(gap[:, 4].max()))
    return worst


def _predicted(result: CropResult) -> np.ndarray:
    """(n, 5): edges as shares of the sides, and score."""
    if result.rejected is not None:
        raise ValueError(f"{result.path}: {result.rejected}; the gallery's photos must be usable")
    return np.column_stack([result.boxes / np.tile(result.size, 2), result.scores])

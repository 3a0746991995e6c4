"""What tests of the page share: a small cropper whose answers depend on its references, galleries, and photos."""

from pathlib import Path

import numpy as np
import torch
from gallery_photos import write_gallery_photos
from PIL import Image

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def write_model(untrained, gallery, folder: Path) -> Path:
    """A checkpoint with random weights of which every one counts: before training, boxes do not depend on the photo."""
    path = untrained(CONFIGS / "procrop_toy.py", gallery, folder / "model.pth")
    loaded = torch.load(path, weights_only=True)
    torch.manual_seed(1)
    for name, weights in loaded["state_dict"].items():
        if weights.is_floating_point() and "running" not in name:
            weights += 0.05 * torch.randn_like(weights)
    torch.save(loaded, path)
    return path


def build_second_gallery(folder: Path) -> Path:
    """A gallery of eight other photos, by the same encoder."""
    from mmengine.config import Config

    from procrop.retrieval import GalleryItem, build_gallery

    paths = write_gallery_photos(folder / "photos", 20)[12:]
    retrieval = Config.fromfile(CONFIGS / "_base_/retrieval/efficientnet_lite0.py").retrieval.to_dict()
    items = [GalleryItem(path, source_id=path.name) for path in paths]
    build_gallery(folder / "index", items, retrieval, folder / "photos")
    return folder / "index"


def write_photo(path: Path, seed: int = 0, size: tuple[int, int] = (320, 240), **saved) -> Path:
    """A smooth colour field; ``saved`` goes to Pillow."""
    coarse = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse.resize(size, Image.Resampling.BICUBIC).save(path, **saved)
    return path

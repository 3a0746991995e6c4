"""A cropper with random weights, its gallery and photos to crop, for measurements that need no trained model."""

import argparse
from pathlib import Path
from typing import Any

_SAMPLES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")  # of scikit-image
_CROPS_EACH = 8
_RETRIEVAL = Path(__file__).resolve().parents[2] / "configs/_base_/retrieval/efficientnet_lite0.py"


def sample_photos() -> list[Any]:
    """The colour photos (H, W, 3) uint8 that scikit-image and scikit-learn come with; six of 451 x 300 to 640 x 427."""
    import skimage.data
    from sklearn.datasets import load_sample_images

    from procrop.io import read_photo

    folder = Path(skimage.data.__file__).parent
    return [read_photo(folder / name) for name in _SAMPLES] + [*load_sample_images().images]


def write_photos(folder: Path, count: int) -> None:
    """Write sample photos as JPEG files, again and again until there are enough."""
    from PIL import Image

    folder.mkdir(parents=True)
    samples = sample_photos()
    for number in range(count):
        Image.fromarray(samples[number % len(samples)]).save(folder / f"{number:04d}.jpg", quality=92)


def write_cropper(
    cfg: Any,  # noqa: ANN401
    args: argparse.Namespace,
    folder: Path,
    retrieval: Path = _RETRIEVAL,
) -> tuple[Path, Path | None]:
    """Write a checkpoint of a config's model with random weights, and a gallery of pieces of the sample photos.

    The gallery's encoder is EfficientNet-lite0 unless told otherwise, whatever the config's: its weights are always
    there, and searching with it is the cheapest, which flatters nothing that is measured beside it.

    Args:
        cfg: the config.
        args: has ``config``, its name.
        folder: where to.
        retrieval: config file of the gallery's encoder.

    Returns:
        The checkpoint, and the gallery's folder or None for a model without references.
    """
    import torch
    from mmengine.registry import DefaultScope
    from parts import build_model

    gallery = None
    if "references" in (cfg.model.get("context_encoders") or {}):
        gallery = _build_gallery(folder, retrieval)
        shape = dict(token_grid=gallery.token_grid, in_channels=gallery.token_shape[1])
        cfg.model.context_encoders.references.update(shape)
    torch.manual_seed(0)
    on_cpu = argparse.Namespace(config=args.config, device="cpu")
    with DefaultScope.overwrite_default_scope("procrop"):
        grid, channels = ((1, 1), 1) if gallery is None else (gallery.token_grid, gallery.token_shape[1])
        model = build_model(cfg, on_cpu, grid, channels)
    for weights in model.parameters():  # before training no box depends on the photo
        weights.data += 0.05 * torch.randn_like(weights)
    made_by = gallery and dict(fingerprint=gallery.fingerprint, token_shape=gallery.token_shape)
    own = dict(config=cfg.pretty_text, retrieval=made_by)
    path = folder / "model.pth"
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text, procrop=own)), path)
    return path, None if gallery is None else Path(gallery.folder)


def _build_gallery(folder: Path, config: Path) -> Any:  # noqa: ANN401
    import numpy as np
    from mmengine.config import Config
    from PIL import Image

    from procrop.retrieval import GalleryItem, build_gallery

    retrieval = Config.fromfile(config).retrieval
    photos = folder / "gallery_photos"
    photos.mkdir(parents=True)
    rng, items = np.random.default_rng(0), []
    for number, sample in enumerate(sample_photos()):
        height, width = sample.shape[:2]
        for piece in range(_CROPS_EACH):
            left, top = rng.integers(0, width // 3), rng.integers(0, height // 3)
            path = photos / f"{number}_{piece}.jpg"
            Image.fromarray(sample[top : top + height // 2, left : left + width // 2]).save(path, quality=92)
            items.append(GalleryItem(path, source_id=path.name))
    return build_gallery(folder / "gallery", items, retrieval.to_dict(), photos)

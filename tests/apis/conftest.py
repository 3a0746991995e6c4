"""A gallery of generated photos, and checkpoints of real configs with random weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


def write_gallery_photos(folder: Path, count: int = 12) -> list[Path]:
    """Write smooth colour fields of 96 x 72 pixels, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    paths = [folder / f"p{number:02d}.png" for number in range(count)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize((96, 72), Image.Resampling.BICUBIC).save(path)
    return paths


@pytest.fixture(scope="session")
def gallery(tmp_path_factory):
    """A gallery of twelve generated photos in pairs of one source, by the toy config's encoder."""
    from mmengine.config import Config

    from procrop.retrieval import GalleryItem, build_gallery

    root = tmp_path_factory.mktemp("gallery")
    paths = write_gallery_photos(root / "photos")
    items = [GalleryItem(path, source_id=f"source {number // 2}") for number, path in enumerate(paths)]
    cfg = Config.fromfile(ROOT / "configs/_base_/retrieval/efficientnet_lite0.py")
    return build_gallery(root / "index", items, cfg.retrieval.to_dict(), root / "photos")


@pytest.fixture(scope="session")
def untrained() -> Callable:
    """A function (config file, gallery or None, path) that writes a checkpoint with random weights, and returns it."""

    def write(config: Path, gallery, path: Path) -> Path:
        import torch
        from mmengine.config import Config
        from mmengine.registry import DefaultScope

        from procrop.registry import MODELS

        cfg = Config.fromfile(config)
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope("procrop"):
            model = MODELS.build(cfg.model)
        model.init_weights()
        retrieval = gallery and dict(fingerprint=gallery.fingerprint, token_shape=gallery.token_shape)
        own = dict(config=cfg.pretty_text, retrieval=retrieval)
        torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text, procrop=own)), path)
        return path

    return write

"""Fixtures shared by all tests."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from gallery_photos import write_gallery_photos
from published_model import NAME, publish_into, train

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def procrop_data() -> Path:
    """Folder of real photos and annotations, named by the environment variable PROCROP_DATA."""
    root = os.environ.get("PROCROP_DATA")
    if not root:
        pytest.skip("PROCROP_DATA is not set: no folder of real photos to test on")
    return Path(root)


@pytest.fixture(autouse=True, scope="module")
def no_logger_of_other_modules():
    """mmengine's current logger is the last one made, whose file another module's test may have closed."""
    logging = sys.modules.get("mmengine.logging")
    if logging is not None:
        logging.MMLogger._instance_dict.clear()


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
        if gallery is not None:  # as a Runner does
            shape = dict(in_channels=gallery.token_shape[1], token_grid=gallery.token_grid)
            cfg.model.context_encoders.references.update(shape)
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope("procrop"):
            model = MODELS.build(cfg.model)
        model.init_weights()
        retrieval = gallery and dict(fingerprint=gallery.fingerprint, token_shape=gallery.token_shape)
        own = dict(config=cfg.pretty_text, retrieval=retrieval)
        torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text, procrop=own)), path)
        return path

    return write


@pytest.fixture(scope="session")
def trained(tmp_path_factory, untrained):
    """A checkpoint with a gallery of credited photos, to be published."""
    return train(tmp_path_factory.mktemp("trained"), untrained)


@pytest.fixture(scope="session")
def published_zoo(tmp_path_factory, trained) -> Path:
    """A folder like procrop/model_zoo, with a metafile and the tiny model published as procrop-lite."""
    return publish_into(tmp_path_factory.mktemp("zoo"), trained)


@pytest.fixture
def lite(request, monkeypatch):
    """The entry of the model that ships; where its files are not in this checkout, of a tiny one in its place."""
    from procrop.model_zoo import locations, metafile, read_zoo

    for name in ("PROCROP_CHECKPOINT", "PROCROP_METAFILE"):
        monkeypatch.delenv(name, raising=False)
    if not (locations.PACKAGE_ROOT / "weights" / NAME / f"{NAME}.safetensors").is_file():
        root = request.getfixturevalue("published_zoo")
        monkeypatch.setattr(locations, "PACKAGE_ROOT", root)
        monkeypatch.setattr(metafile, "PACKAGE_METAFILE", root / "metafile.yml")
    return read_zoo().models[NAME]

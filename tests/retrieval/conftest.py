"""Photos and a quick encoder for retrieval tests."""

from pathlib import Path

import pytest
from build_server import BuildServer
from colour_backbone import ColourBackbone, draw_photos


@pytest.fixture
def photos(tmp_path) -> Path:
    return draw_photos(tmp_path / "photos", 20)


@pytest.fixture
def retrieval() -> dict:
    return dict(backbone=dict(type=ColourBackbone.__name__), key_transform=dict(type="Normalise"))


@pytest.fixture(scope="session")
def builds():
    """Starts builds in processes of their own."""
    with BuildServer() as server:
        yield server


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Path:
    """Three annotated toy photos and a gallery of eight."""
    from procrop.datasets.toy import ToySettings, write_toy_dataset

    out = tmp_path_factory.mktemp("swap") / "toy"
    write_toy_dataset(out, ToySettings(images=3, gallery=8, splits=(1.0, 0.0, 0.0), size=(128, 96)))
    return out

"""The folder that ships: small, signed, of no machine, with an author to every photo, and it crops."""

import re

import numpy as np
import pytest
from published_model import NAME

from procrop.apis.publishing.portable_config import places_in
from procrop.apis.publishing.publish import LIMITS, check_places
from procrop.engine.checkpoint import load_checkpoint_file
from procrop.inference import CropInferencer
from procrop.io.manifest import sha256_file
from procrop.model_zoo import locations, resolve_model
from procrop.model_zoo.locations import local_file
from procrop.retrieval import Gallery

CARD = locations.PACKAGE_ROOT / "weights" / NAME / "README.md"


@pytest.fixture
def folder(lite):
    return local_file(lite.weights).parent


@pytest.fixture
def gallery(folder):
    return Gallery.open(folder / "gallery")


def test_all_of_it_is_within_the_limits(folder, gallery):
    weights = (folder / f"{NAME}.safetensors").stat().st_size
    shown = [*(folder / "gallery" / "thumbnails").rglob("*.jpg"), folder / "gallery" / "credits.jsonl"]
    thumbnails = sum(path.stat().st_size for path in shown)
    whole = sum(path.stat().st_size for path in (folder / "gallery").rglob("*") if path.is_file())
    assert weights <= LIMITS["weights"] == 20e6
    assert whole - thumbnails <= LIMITS["keys and tokens"] == 4e6
    assert thumbnails <= LIMITS["thumbnails"] == 6e6
    assert gallery.token_shape[0] <= 16 and gallery.token_shape[1] <= 64


def test_it_is_what_the_metafile_says(lite, folder):
    assert resolve_model(NAME) == (folder / f"{NAME}.safetensors", folder / "gallery")
    assert lite.weights.size == (folder / f"{NAME}.safetensors").stat().st_size
    assert lite.gallery.sha256 == sha256_file(folder / "gallery" / "manifest.json")
    assert lite.gallery.size == sum(p.stat().st_size for p in (folder / "gallery").rglob("*") if p.is_file())
    assert lite.gallery.license == "CC-BY-SA-3.0 AND CC0-1.0"


def test_every_photo_has_a_thumbnail_an_author_and_a_licence(lite, folder, gallery):
    page = (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert gallery.verify(encoders=True) == [] and len(gallery) == lite.gallery.photos
    for row, name in enumerate(gallery.names):
        credit = gallery.credit(row)
        assert gallery.photo_path(row).is_file() and credit.title and credit.author, name
        assert credit.licence in ("CC-BY-SA-3.0", "CC0-1.0"), name
        assert f"| `{name}` |" in page


def test_it_names_no_place_of_a_machine(folder):
    check_places(folder)
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".jsonl", ".md", ".safetensors"):
            content = path.read_bytes()
            assert not [place for place in (b"/tmp/", b"/work/", b"/home/") if place in content], path


def test_its_weights_are_few_and_half_precise(folder):
    from safetensors import safe_open

    with safe_open(folder / f"{NAME}.safetensors", "np") as file:
        tensors = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118 (no dict)
        shapes = [(tensor.get_shape(), tensor.get_dtype()) for tensor in tensors]
    assert sum(int(np.prod(shape)) for shape, _ in shapes) < 15e6
    assert {dtype for shape, dtype in shapes if len(shape) > 1} == {"F16"}
    config = load_checkpoint_file(folder / f"{NAME}.safetensors")["meta"]["procrop"]["config"]
    assert "SubjectEvidenceBackbone" in config and places_in(config) == []


def test_it_crops(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cropper = CropInferencer(folder / f"{NAME}.safetensors", device="cpu")
    photo = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    result = cropper.crop(photo, top_k=3)
    assert result.boxes.shape == (3, 4) and result.references
    assert (result.boxes >= 0).all() and (result.boxes <= [400, 300, 400, 300]).all()


def test_the_card_is_complete(folder):
    text = CARD.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert link.startswith("https://") or (folder / link).is_file(), link
    for word in ("Apache-2.0", "CC BY-SA 3.0", "CC0 1.0", "ATTRIBUTION.md", "landscape format", "make lite"):
        assert word in text
    figures_are_in = "FIGURE" not in text
    assert figures_are_in == (CARD.parent / f"{NAME}.safetensors").is_file()  # with the weights, the figures

"""Keys from one encoder and tokens from another."""

import numpy as np
import pytest
from colour_backbone import ColourBackbone

from procrop.io.manifest import sha256_json
from procrop.registry import RETRIEVAL_BACKBONES
from procrop.retrieval import Gallery, build_gallery, items_from_folder
from procrop.retrieval.backbones.base import Embeddings, RetrievalBackbone


@RETRIEVAL_BACKBONES.register_module(force=True)
class GreyKeys(RetrievalBackbone):
    """Keys only: brightness and contrast."""

    metric = "l2"
    key_dim, token_shape = 2, None

    def __init__(self, device: str = "cpu") -> None:
        pass

    @property
    def fingerprint(self) -> str:
        return sha256_json("GreyKeys")

    def prepare(self, image):
        return image[::2, ::2].copy()

    def encode(self, images) -> Embeddings:
        keys = [[image.mean(), image.std()] for image in images]
        return Embeddings(np.array(keys, np.float32).reshape(-1, 2), None)


TWO = dict(backbone=dict(type="GreyKeys"), token_backbone=dict(type="ColourBackbone"))


def build(folder, photos, retrieval, **kwargs):
    return build_gallery(folder, items_from_folder(photos), retrieval, photos, shard_size=6, **kwargs)


def test_keys_of_one_and_tokens_of_the_other(tmp_path, photos):
    gallery = build(tmp_path / "g", photos, TWO)
    colours = build(tmp_path / "c", photos, dict(backbone=dict(type="ColourBackbone")))
    assert gallery.metric == "l2" and gallery.token_shape == (4, 3) and gallery.token_grid == (2, 2)
    np.testing.assert_array_equal(gallery.tokens(range(20)), colours.tokens(range(20)))
    image = np.full((10, 10, 3), 128, np.uint8)
    np.testing.assert_array_equal(gallery.query_keys([image]), [[128, 0]])
    assert gallery.index.dim == 2 and gallery.verify(encoders=True) == []
    assert gallery.info()["encoder"] == "GreyKeys" and gallery.info()["token encoder"] == "ColourBackbone"


def test_the_token_encoder_is_not_needed_to_search(tmp_path, photos, monkeypatch):
    folder = build(tmp_path / "g", photos, TWO).folder
    monkeypatch.setattr(ColourBackbone, "__init__", lambda self: pytest.fail("the token encoder was built"))
    gallery = Gallery.open(folder)
    assert gallery.search([np.full((9, 9, 3), 100, np.uint8)], 3)[0].shape == (1, 3)
    assert gallery.tokens([3]).shape == (1, 4, 3)


def test_each_photo_is_read_once(tmp_path, photos, monkeypatch):
    from procrop.retrieval import gallery_writer

    read = []
    original = gallery_writer.read_photo
    monkeypatch.setattr(gallery_writer, "read_photo", lambda path: read.append(path) or original(path))
    build(tmp_path / "g", photos, TWO)
    assert len(read) == len(set(read)) == 20


def test_fingerprints(tmp_path, photos, retrieval):
    gallery = build(tmp_path / "g", photos, TWO)
    extra = gallery.manifest["extra"]
    assert extra["backbone_fingerprint"] == sha256_json("GreyKeys")
    assert extra["token_backbone_fingerprint"] == ColourBackbone().fingerprint
    other = build(tmp_path / "h", photos, {**TWO, "token_backbone": dict(type="ColourBackbone", salt=1)})
    assert other.fingerprint != gallery.fingerprint and other.token_shape == gallery.token_shape
    one = build(tmp_path / "one", photos, retrieval)
    # what a gallery of one encoder has always been called
    assert one.fingerprint == sha256_json(
        {"backbone": ColourBackbone().fingerprint, "key_transform": {"type": "Normalise"}}
    )
    assert "token_backbone_fingerprint" not in one.manifest["extra"]
    assert "token_backbone" not in one.retrieval_cfg
    same = build(tmp_path / "same", photos, {**retrieval, "token_backbone": None})
    assert same.content_sha256 == one.content_sha256


def test_another_token_encoder_is_encoded_again(tmp_path, photos):
    build(tmp_path / "g", photos, TWO)
    other = {**TWO, "token_backbone": dict(type="ColourBackbone", salt=1)}
    gallery = build(tmp_path / "g", photos, other)
    assert gallery.tokens([0]).min() >= 1
    assert gallery.content_sha256 == build(tmp_path / "fresh", photos, other).content_sha256


def test_an_encoder_that_changed_since_is_found(tmp_path, photos, monkeypatch):
    gallery = build(tmp_path / "g", photos, TWO)
    monkeypatch.setattr(ColourBackbone, "fingerprint", "0" * 64)
    assert gallery.verify() == []
    (problem,) = gallery.verify(encoders=True)
    assert "ColourBackbone (token_backbone) now has other weights" in problem


def test_mean_pool_pools_the_tokens_of_the_encoder_of_keys(tmp_path, photos):
    """That encoder makes the keys of queries too, so the other one is not needed then."""
    retrieval = dict(
        backbone=dict(type="ColourBackbone", keys=False),
        token_backbone=dict(type="ColourBackbone", salt=2),
        key_transform=dict(type="MeanPool"),
    )
    gallery = build(tmp_path / "g", photos, retrieval)
    image = np.full((10, 10, 3), 51, np.uint8)
    np.testing.assert_allclose(gallery.query_keys([image]), [[0.2, 0.2, 0.2]], atol=1e-3)
    assert gallery.index.dim == 3 and gallery.tokens([0]).min() >= 2
    with pytest.raises(ValueError, match="MeanPool, which pools the tokens of `backbone`, has none"):
        build(tmp_path / "h", photos, {**TWO, "key_transform": dict(type="MeanPool")})


def test_tokens_must_come_from_somewhere(tmp_path, photos):
    with pytest.raises(ValueError, match="token_backbone gives keys only"):
        build(
            tmp_path / "g",
            photos,
            dict(backbone=dict(type="ColourBackbone"), token_backbone=dict(type="GreyKeys")),
        )
    gallery = build(tmp_path / "h", photos, dict(backbone=dict(type="GreyKeys")))
    assert gallery.token_shape is None
    with pytest.raises(ValueError, match="gives keys only"):
        gallery.tokens([0])


def test_device_is_no_part_of_the_gallery(tmp_path, photos):
    plain = build(tmp_path / "g", photos, TWO)
    told = {**TWO, "backbone": dict(type="GreyKeys", device="cpu")}
    assert build(tmp_path / "h", photos, told).content_sha256 == plain.content_sha256


@pytest.mark.parametrize(
    "error", [FileNotFoundError("no weights at x.pth"), ImportError("pip install lpips")]
)
def test_an_encoder_that_cannot_be_built_hides_nothing_else(tmp_path, photos, retrieval, monkeypatch, error):
    gallery = build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)
    (photos / "p003.png").unlink()

    def broken(self, **kwargs):
        raise error

    monkeypatch.setattr(ColourBackbone, "__init__", broken)
    lost, unbuilt = gallery.verify(encoders=True)
    assert "p003.png" in lost
    assert f"ColourBackbone (backbone) cannot be built: {error}" in unbuilt


def test_an_index_that_cannot_be_opened_is_listed_beside_the_rest(tmp_path, photos, retrieval, monkeypatch):
    from procrop.retrieval.indexes import FaissIndex, IndexServerError

    gallery = build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)
    photo = (photos / "p003.png").rename(tmp_path / "away.png")

    def down(path):
        raise IndexServerError("http://far: does not answer")

    monkeypatch.setattr(FaissIndex, "open", staticmethod(down))
    lost, unreachable = gallery.verify()
    assert "p003.png" in lost and unreachable == "http://far: does not answer"
    # nor does a build take apart what is well but for the server
    photo.rename(photos / "p003.png")
    with pytest.raises(IndexServerError, match="does not answer"):
        build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)
    monkeypatch.undo()
    assert Gallery.open(tmp_path / "g").verify() == []


def test_info_of_a_gallery_without_tokens_names_no_token_encoder(tmp_path, photos):
    gallery = build(tmp_path / "g", photos, dict(backbone=dict(type="GreyKeys")))
    assert gallery.info()["encoder"] == "GreyKeys" and gallery.info()["token encoder"] is None

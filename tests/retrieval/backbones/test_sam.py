"""SAM as retrieval encoder, on both packages: the photo and no padding, one embedding whichever package runs it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from safetensors.torch import load_file
from sam_cases import BOTH, TINY, encoder_state, save_hf_folder, save_official, whole_sam

from procrop.engine.config_validation import validate_config
from procrop.networks.sam import build_sam_encoder, sam_arch
from procrop.networks.sam_weights import to_hf
from procrop.registry import RETRIEVAL_BACKBONES
from procrop.retrieval import Gallery, build_gallery, items_from_folder
from procrop.retrieval.backbones import HFSAMRetrieval, SAMRetrieval
from procrop.retrieval.gallery_design import gallery_fingerprint

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_official(tmp_path_factory.mktemp("sam") / "sam_tiny.pth")


@pytest.fixture(scope="module")
def encoder(checkpoint):
    return SAMRetrieval(checkpoint=checkpoint, arch=TINY)


@pytest.fixture(scope="module")
def images():
    import skimage.data

    return [
        skimage.data.chelsea(),  # 300 x 451
        skimage.data.coffee(),  # 400 x 600
        skimage.data.coffee().transpose(1, 0, 2)[:, 50:200],  # 600 x 150
        skimage.data.astronaut(),  # 512 x 512
    ]


def pool_by_subpixels(maps, grid, size):
    """Mean over equal shares of a photo of (h, w) pixels: repeat every cell until all borders are whole numbers."""
    for axis, (parts, pixels) in enumerate(zip(grid, size, strict=True), start=1):
        fine = np.repeat(maps.astype(np.float64), 16 * parts, axis).take(range(pixels * parts), axis)
        fine = fine.reshape(*fine.shape[:axis], parts, pixels, *fine.shape[axis + 1 :])
        maps = fine.mean(axis=axis + 1)
    return maps.reshape(len(maps), -1).T


def reference_map(image, state, arch=TINY):
    """SAM's own resizing, preprocessing and encoder; the map (C, h, w) and the size of the resized photo."""
    from segment_anything.modeling import Sam
    from segment_anything.utils.transforms import ResizeLongestSide

    network = build_sam_encoder(sam_arch("vit_b", arch))
    network.load_state_dict(state)
    sam = Sam(network, torch.nn.Identity(), torch.nn.Identity())
    resized = ResizeLongestSide(arch["image_size"]).apply_image(image)
    with torch.no_grad():
        x = sam.preprocess(torch.from_numpy(resized).permute(2, 0, 1)[None])
        return network(x)[0].numpy(), resized


@pytest.mark.parametrize("grid", [(8, 8), (3, 5)])
def test_tokens_are_sams_map_pooled_over_the_photo(checkpoint, images, grid):
    encoder = SAMRetrieval(checkpoint=checkpoint, arch=TINY, token_grid=grid)
    found = encoder.encode(images)
    for i, image in enumerate(images):
        maps, resized = reference_map(image, encoder_state())
        np.testing.assert_array_equal(encoder.prepare(image), resized)
        expected = pool_by_subpixels(maps, grid, resized.shape[:2])
        np.testing.assert_allclose(found.tokens[i], expected, rtol=1e-3, atol=2e-3)
        np.testing.assert_allclose(found.keys[i], expected.mean(axis=0), rtol=1e-3, atol=1e-4)


def test_a_square_photo_is_pooled_over_whole_cells(encoder, images):
    maps, _ = reference_map(images[3], encoder_state())
    expected = maps.reshape(256, 8, 2, 8, 2).mean(axis=(2, 4)).reshape(256, 64).T
    np.testing.assert_allclose(encoder.encode([images[3]]).tokens[0], expected, rtol=1e-3, atol=1e-3)


def test_shapes_types_and_keys(checkpoint, encoder, images):
    found = encoder.encode(images[:2])
    assert found.keys.shape == (2, 256) and found.keys.dtype == np.float32
    assert found.tokens.shape == (2, 64, 256) and found.tokens.dtype == np.float16
    assert (encoder.key_dim, encoder.token_shape, encoder.token_grid) == (256, (64, 256), (8, 8))
    assert encoder.metric == "cosine"
    empty = encoder.encode([])
    assert empty.keys.shape == (0, 256) and empty.tokens.shape == (0, 64, 256)
    grid = SAMRetrieval(checkpoint=checkpoint, arch=TINY, key="grid")
    keys = grid.encode(images[:2]).keys
    assert grid.key_dim == 16384 and keys.shape == (2, 16384)
    np.testing.assert_allclose(keys.reshape(2, 64, 256), found.tokens, rtol=1e-3, atol=1e-3)


def test_what_the_map_holds_in_the_padding_does_not_matter(checkpoint, encoder, images, monkeypatch):
    plain = encoder.encode(images[:3])
    original = SAMRetrieval.feature_map

    def poisoned(self, x):
        maps = original(self, x)
        covered = (x != 0).any(dim=1)  # photos of this test hold no pixel of SAM's mean colour
        cells = covered.unfold(1, 16, 16).unfold(2, 16, 16).any(dim=(3, 4))
        assert not cells.all()
        return maps.masked_fill(~cells[:, None], torch.nan)

    monkeypatch.setattr(SAMRetrieval, "feature_map", poisoned)
    again = encoder.encode(images[:3])
    np.testing.assert_array_equal(again.keys, plain.keys)
    np.testing.assert_array_equal(again.tokens, plain.tokens)


def test_company_and_order_change_nothing(checkpoint, encoder, images):
    batched = SAMRetrieval(checkpoint=checkpoint, arch=TINY, batch_size=3)
    together = batched.encode([*images, *images[::-1], images[0]])
    for i, image in enumerate(images):
        alone = encoder.encode([image])
        for row in (i, 7 - i):
            np.testing.assert_allclose(together.keys[row], alone.keys[0], rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(together.tokens[row], alone.tokens[0], rtol=2e-3, atol=2e-3)


@BOTH
@pytest.mark.parametrize(
    ("size", "expected"),
    [((1, 1), (256, 256)), ((30000, 20), (256, 1)), ((20, 30000), (1, 256)), ((300, 400), (192, 256))],
)
def test_extreme_photos(encoder_type, checkpoint, size, expected):
    encoder = encoder_type(checkpoint=checkpoint, arch=TINY)
    photo = np.full((size[1], size[0], 3), 99, np.uint8)
    prepared = encoder.prepare(photo)
    assert prepared.shape == (expected[1], expected[0], 3) and (prepared == 99).all()
    assert encoder.prepare(prepared) is prepared
    found = encoder.encode([photo])
    assert np.isfinite(found.keys).all() and np.isfinite(found.tokens).all()
    again = encoder.encode([prepared])
    np.testing.assert_array_equal(found.keys, again.keys)
    np.testing.assert_array_equal(found.tokens, again.tokens)


def test_a_mirrored_photo_mirrors_the_grid(tmp_path, images):
    """Exactly, with weights that are their own mirror image and windows that fill the width."""
    arch = {**TINY, "image_size": 448}
    state = encoder_state(arch)
    for name, value in state.items():
        axis = {"patch_embed.proj.weight": -1, "neck.2.weight": -1, "pos_embed": 2}.get(name)
        axis = 0 if name.endswith("rel_pos_w") else axis
        if axis is not None:
            state[name] = (value + value.flip(axis)) / 2
    torch.save(state, tmp_path / "mirror.pth")
    encoder = SAMRetrieval(checkpoint=tmp_path / "mirror.pth", arch=arch)
    photo = encoder.prepare(images[0])
    assert photo.shape == (298, 448, 3)  # 18.6 rows of cells
    tokens = encoder.encode([photo, photo[:, ::-1]]).tokens.reshape(2, 8, 8, 256)
    np.testing.assert_allclose(tokens[1], tokens[0][:, ::-1], rtol=5e-3, atol=5e-3)
    assert np.abs(tokens[1].astype(np.float32) - tokens[0]).mean() > 0.1
    assert np.abs(tokens[1].astype(np.float32) - tokens[0][::-1]).mean() > 0.1


@BOTH
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_close(encoder_type, checkpoint, encoder, images, dtype):
    half = encoder_type(checkpoint=checkpoint, arch=TINY, dtype=dtype)
    assert half.fingerprint == encoder.fingerprint
    found, exact = half.encode(images[:2]), encoder.encode(images[:2])
    similar = (found.keys * exact.keys).sum(1) / np.linalg.norm(found.keys, axis=1)
    assert (similar / np.linalg.norm(exact.keys, axis=1) > (0.9999 if dtype == "float16" else 0.999)).all()
    assert np.abs(found.tokens.astype(np.float32) - exact.tokens).max() < (
        0.02 if dtype == "float16" else 0.2
    )


# ---------------------------------------------------------------- both packages


def assert_equal_embeddings(a, b, images):
    assert a.fingerprint == b.fingerprint
    one, two = a.encode(images), b.encode(images)
    np.testing.assert_allclose(one.keys, two.keys, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(one.tokens, two.tokens, rtol=2e-3, atol=4e-3)


def test_both_packages_agree_at_the_real_architecture(tmp_path, images):
    """ViT-B's width, heads and windows at 1024 x 1024, one windowed and one global block."""
    arch = dict(depth=2, global_attn_indexes=(1,))
    torch.save(encoder_state(arch, scale=2), tmp_path / "b2.pth")
    pair = [kind(checkpoint=tmp_path / "b2.pth", arch=arch) for kind in (SAMRetrieval, HFSAMRetrieval)]
    assert_equal_embeddings(*pair, images[1:2])


@pytest.mark.slow
def test_both_packages_agree_at_full_depth(images):
    pair = [kind(random_weights_seed=0) for kind in (SAMRetrieval, HFSAMRetrieval)]
    assert_equal_embeddings(*pair, images[1:2])


@pytest.fixture(scope="module")
def hf_folder(tmp_path_factory):
    return save_hf_folder(tmp_path_factory.mktemp("hf") / "sam")


def test_any_file_into_any_package(checkpoint, encoder, hf_folder, tmp_path, images):
    """The same weights: official file, bare encoder, transformers' folder and file."""
    torch.save(encoder_state(), tmp_path / "bare.pth")
    files = [checkpoint, tmp_path / "bare.pth", hf_folder / "model.safetensors"]
    made = [kind(checkpoint=file, arch=TINY) for file in files for kind in (SAMRetrieval, HFSAMRetrieval)]
    made.append(HFSAMRetrieval(pretrained=hf_folder, arch=TINY))
    for other in made:
        assert_equal_embeddings(other, encoder, images[:1])
    # what is no part of the encoder is left out and counted
    counts = [other.weights_passed_over for other in made]
    in_folder = sum("vision_encoder." not in name for name in load_file(files[2]))
    assert counts == [*[whole_sam({})[1]] * 2, 0, 0, *[in_folder] * 3]


def test_a_vision_model_of_transformers(encoder, tmp_path, images):
    from transformers import SamVisionConfig, SamVisionModel

    config = SamVisionConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, global_attn_indexes=[1], image_size=256
    )
    model = SamVisionModel(config)
    model.vision_encoder.load_state_dict(to_hf(encoder_state()))
    model.save_pretrained(tmp_path / "vision")
    found = HFSAMRetrieval(pretrained=tmp_path / "vision", arch=TINY)
    assert_equal_embeddings(found, encoder, images[:1])


def test_a_gallery_of_one_is_searched_by_the_other(checkpoint, images, tmp_path):
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "photos" / f"{i}.png")
    transform = dict(type="Normalise")
    common = dict(checkpoint=str(checkpoint), arch=TINY)
    retrieval = dict(backbone=dict(type="SAMRetrieval", **common), key_transform=transform)
    build_gallery(tmp_path / "g", items_from_folder(tmp_path / "photos"), retrieval, tmp_path / "photos")
    other = HFSAMRetrieval(**common)
    gallery = Gallery.open(
        tmp_path / "g", expect_fingerprint=gallery_fingerprint(other.fingerprint, transform)
    )
    ids, scores = gallery.search_keys(other.encode(images).keys, 1)
    assert ids[:, 0].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(scores[:, 0], 1.0, atol=1e-5)


def test_fingerprint_follows_what_changes_an_embedding(checkpoint, encoder, tmp_path):
    same = [dict(batch_size=3), dict(dtype="bfloat16"), dict(arch={**TINY, "global_attn_indexes": [1, 5]})]
    for other in same:
        made = SAMRetrieval(**{**dict(checkpoint=checkpoint, arch=TINY), **other})
        assert made.fingerprint == encoder.fingerprint, other
    state = encoder_state()
    state["neck.3.bias"][7] += 1e-3
    torch.save(state, tmp_path / "other.pth")
    others = [dict(checkpoint=tmp_path / "other.pth"), dict(token_grid=(4, 4)), dict(key="grid")]
    made = [SAMRetrieval(**{**dict(checkpoint=checkpoint, arch=TINY), **o}).fingerprint for o in others]
    assert len({encoder.fingerprint, *made}) == 4


@BOTH
def test_random_weights_must_be_asked_for(encoder_type, checkpoint, tmp_path):
    with pytest.raises(ValueError, match="needs a checkpoint.*segment-anything#model-checkpoints"):
        encoder_type(arch=TINY)
    with pytest.raises(ValueError, match="not both"):
        encoder_type(arch=TINY, checkpoint=checkpoint, random_weights_seed=0)
    first = encoder_type(arch=TINY, random_weights_seed=0)
    assert first.fingerprint != encoder_type(arch=TINY, random_weights_seed=1).fingerprint
    torch.save(first.to_official_names(first.network.state_dict()), tmp_path / "saved.pth")
    assert encoder_type(arch=TINY, checkpoint=tmp_path / "saved.pth").fingerprint == first.fingerprint
    assert SAMRetrieval(arch=TINY, random_weights_seed=0).fingerprint == first.fingerprint
    assert not any(p.requires_grad for p in first.network.parameters())


@pytest.mark.parametrize("name", ["sam_vit_b", "sam_vit_l", "sam_vit_h", "hf_sam_vit_b"])
def test_base_configs(name):
    cfg = Config.fromfile(ROOT / f"configs/_base_/retrieval/{name}.py")
    validate_config(cfg)
    backbone = cfg.retrieval.backbone.to_dict()
    assert backbone["model_type"] == name[-5:]
    with pytest.raises(FileNotFoundError, match=backbone.get("checkpoint", backbone.get("pretrained"))):
        RETRIEVAL_BACKBONES.build(dict(backbone))

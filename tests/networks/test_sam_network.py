"""SAM's image encoder: the published networks to the tensor, and the two ways of naming their tensors."""

import pytest
import torch
from safetensors.torch import save_file

from procrop.networks.sam import PIXEL_MEAN, PIXEL_STD, build_sam_encoder, normalise_sam, sam_arch
from procrop.networks.sam_weights import from_hf, random_encoder_state, read_encoder_state, to_hf

TINY = dict(embed_dim=32, depth=2, num_heads=2, global_attn_indexes=(1,), image_size=64)


def shapes(state):
    return {name: tuple(value.shape) for name, value in state.items()}


@pytest.fixture(scope="module")
def published():
    """Whole SAMs as the package makes them, without memory for their weights."""
    from segment_anything import sam_model_registry

    with torch.device("meta"):
        return {name: sam_model_registry[name]() for name in ("vit_b", "vit_l", "vit_h")}


@pytest.mark.parametrize(
    ("model_type", "parameters"), [("vit_b", 89_670_912), ("vit_l", 308_278_272), ("vit_h", 637_026_048)]
)
def test_networks_are_the_published_ones(published, model_type, parameters):
    with torch.device("meta"):
        ours = build_sam_encoder(sam_arch(model_type))
    theirs = published[model_type].image_encoder
    assert shapes(ours.state_dict()) == shapes(theirs.state_dict())
    assert sum(p.numel() for p in ours.parameters()) == parameters
    # heads, windows, norms' eps: all that is no tensor
    assert str(ours) == str(theirs)
    for a, b in zip(ours.blocks, theirs.blocks, strict=True):
        assert (a.window_size, a.attn.num_heads, a.attn.scale) == (
            b.window_size,
            b.attn.num_heads,
            b.attn.scale,
        )


def test_normalisation_is_sams(published):
    sam = published["vit_b"]
    image = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8)
    from segment_anything.modeling import Sam

    real = Sam(torch.nn.Identity(), torch.nn.Identity(), torch.nn.Identity())
    assert real.pixel_mean.shape == sam.pixel_mean.shape
    torch.testing.assert_close(normalise_sam(image), (image - real.pixel_mean) / real.pixel_std)
    assert real.pixel_mean.flatten().tolist() == pytest.approx(PIXEL_MEAN)
    assert real.pixel_std.flatten().tolist() == pytest.approx(PIXEL_STD)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(width=3), "no 'width'"),
        (dict(depth=0), "depth"),
        (dict(image_size=1000), "image_size"),
        (dict(num_heads=5), "num_heads"),
    ],
)
def test_impossible_architectures_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        sam_arch("vit_b", changes)
    with pytest.raises(ValueError, match="vit_x.*vit_b, vit_l, vit_h"):
        sam_arch("vit_x")


def test_global_blocks_beyond_the_depth_make_no_difference():
    assert sam_arch("vit_b", dict(depth=3)) == sam_arch("vit_b", dict(depth=3, global_attn_indexes=[2]))


def test_names_cover_transformers_network_and_come_back():
    from transformers import SamVisionConfig
    from transformers.models.sam.modeling_sam import SamVisionEncoder

    with torch.device("meta"):
        ours = build_sam_encoder(sam_arch("vit_b")).state_dict()
        theirs = SamVisionEncoder(SamVisionConfig()).state_dict()
    assert shapes(to_hf(ours)) == shapes(theirs)
    assert shapes(from_hf(theirs)) == shapes(ours)
    assert from_hf(ours).keys() == ours.keys() and to_hf(theirs).keys() == theirs.keys()


def test_random_weights_follow_the_seed_alone():
    like = build_sam_encoder(sam_arch("vit_b", TINY)).state_dict()
    one, two = random_encoder_state(like, 3), random_encoder_state(dict(reversed(like.items())), 3)
    assert shapes(one) == shapes(like)
    assert all(torch.equal(one[name], two[name]) for name in like)
    assert not torch.equal(random_encoder_state(like, 4)["pos_embed"], one["pos_embed"])
    # nothing of it is trivial: positions too would be zero in a network as made
    assert all(one[name].std() > 0.01 for name in ("pos_embed", "blocks.1.attn.rel_pos_h", "neck.2.weight"))
    assert one["neck.3.weight"].tolist() == [1.0] * 256 and not one["blocks.0.norm1.bias"].any()


@pytest.mark.parametrize("layout", ["bare", "official", "hf bare", "hf"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_every_kind_of_file_gives_the_official_names(tmp_path, layout, suffix):
    like = build_sam_encoder(sam_arch("vit_b", TINY)).state_dict()
    state = random_encoder_state(like, 0)
    held = to_hf(state) if "hf" in layout else dict(state)
    others = 0
    if "bare" not in layout:
        held = {("vision_encoder." if layout == "hf" else "image_encoder.") + k: v for k, v in held.items()}
        parts = [
            "prompt_encoder.a",
            "mask_decoder.b",
            *(["shared_image_embedding.c"] if layout == "hf" else []),
        ]
        held.update({name: torch.zeros(1) for name in parts})
        others = len(parts)
    path = tmp_path / f"weights{suffix}"
    torch.save(held, path) if suffix == ".pth" else save_file(held, path)
    found = read_encoder_state(path)
    assert found.passed_over == others
    assert found.state.keys() == state.keys()
    assert all(torch.equal(found.state[name], state[name]) for name in state)


def test_names_of_no_sam_are_kept_for_the_strict_load(tmp_path):
    torch.save(
        {"image_encoder.pos_embed": torch.zeros(1), "adapter.weight": torch.zeros(1)}, tmp_path / "a.pth"
    )
    found = read_encoder_state(tmp_path / "a.pth")
    assert set(found.state) == {"pos_embed", "adapter.weight"} and found.passed_over == 0

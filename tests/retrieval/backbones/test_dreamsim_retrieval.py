"""DreamSim's published files: read as they are, adapters merged, distances as DreamSim's definition gives them."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine import Config
from PIL import Image
from safetensors.torch import save_file

from procrop.networks import dreamsim as networks
from procrop.networks import dreamsim_weights
from procrop.networks.pixel_statistics import CLIP, IMAGENET
from procrop.registry import RETRIEVAL_BACKBONES
from procrop.retrieval.backbones import DreamSimRetrieval

CONFIG = Path(__file__).parents[3] / "configs" / "_base_" / "retrieval" / "dreamsim.py"
SMALL = dict(width=48, depth=2, heads=4, out_dim=24)
PUBLISHED = dict(width=768, depth=12, heads=12, out_dim=512)
RANK, ALPHA = 4, 2
DINO_FILE = "dino_vitbase16_pretrain.pth"


@pytest.fixture(scope="module")
def images():
    import skimage.data

    return [skimage.data.chelsea(), skimage.data.coffee()]


@pytest.fixture
def small(monkeypatch):
    """Branches of a small size in place of the published one."""
    monkeypatch.setattr(dreamsim_weights, "DreamSim", partial(networks.DreamSim, **SMALL))
    return SMALL


def drawn(generator, *shape, spread=0.15):
    return spread * torch.randn(*shape, generator=generator)


def branch_state(name, size, seed):
    """One transformer as its published file names its tensors."""
    generator = torch.Generator().manual_seed(seed)
    width, patch = size["width"], int(name[-2:])
    spread = 0.15 if width < 100 else 0.03
    draw = partial(drawn, generator, spread=spread)
    state = {
        "cls_token": draw(1, 1, width),
        "pos_embed": draw(1, (224 // patch) ** 2 + 1, width),
        "patch_embed.proj.weight": draw(width, 3, patch, patch),
        "patch_embed.proj.bias": draw(width),
    }
    norms = ["norm"]
    for i in range(size["depth"]):
        norms += [f"blocks.{i}.norm1", f"blocks.{i}.norm2"]
        layers = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
        for layer, (rows, columns) in layers.items():
            state[f"blocks.{i}.{layer}.weight"] = draw(rows * width, columns * width)
            state[f"blocks.{i}.{layer}.bias"] = draw(rows * width)
    if "clip" in name:
        norms.append("pos_drop")
        state["proj"] = draw(width, size["out_dim"])
    for norm in norms:
        state[f"{norm}.weight"], state[f"{norm}.bias"] = 1 + draw(width), draw(width)
    return state


def write_release(folder, variant, size):
    """DreamSim's cache folder for a variant; returns what was written: states of the branches, adapter."""
    folder.mkdir(exist_ok=True)
    states, adapter = [], {}
    generator = torch.Generator().manual_seed(99)
    for i, name in enumerate(networks.VARIANTS[variant]):
        state = branch_state(name, size, seed=i)
        states.append(state)
        if name == "dino_vitb16":
            (folder / "checkpoints").mkdir()
            torch.save(state, folder / "checkpoints" / DINO_FILE)
        else:
            torch.save({"state_dict": state}, folder / f"{name}_pretrain.pth.tar")
        for block in range(size["depth"]):
            layer = f"base_model.model.extractor_list.{i}.model.blocks.{block}.attn.qkv"
            adapter[f"{layer}.lora_A.weight"] = drawn(generator, RANK, size["width"])
            adapter[f"{layer}.lora_B.weight"] = drawn(generator, 3 * size["width"], RANK)
    lora = folder / ("ensemble_lora" if variant == "ensemble" else f"{variant}_single_lora")
    lora.mkdir()
    config = dict(
        peft_type="LORA", r=RANK, lora_alpha=ALPHA, lora_dropout=0.3, bias="none", target_modules=["qkv"]
    )
    (lora / "adapter_config.json").write_text(json.dumps(config))
    save_file(adapter, lora / "adapter_model.safetensors")
    return states, adapter


def squares(images):
    resized = [np.asarray(Image.fromarray(i).resize((224, 224), Image.Resampling.BICUBIC)) for i in images]
    return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2) / 255


def branch_forward(name, state, adapter, heads, x):
    """A branch written from the definition, its adapters beside the weights: embedding, last block's patches."""
    is_clip = "clip" in name
    eps = 1e-5 if is_clip else 1e-6
    act = (lambda y: y * torch.sigmoid(1.702 * y)) if name.startswith("clip") else F.gelu
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (CLIP if is_clip else IMAGENET))

    def norm(y, layer):
        return F.layer_norm(y, y.shape[-1:], state[f"{layer}.weight"], state[f"{layer}.bias"], eps)

    def linear(y, layer):
        found = F.linear(y, state[f"{layer}.weight"], state[f"{layer}.bias"])
        if f"{layer}.lora_A.weight" in adapter:
            down, up = adapter[f"{layer}.lora_A.weight"], adapter[f"{layer}.lora_B.weight"]
            found = found + ALPHA / RANK * (y @ down.T) @ up.T
        return found

    kernel = state["patch_embed.proj.weight"]
    y = F.conv2d((x - mean) / std, kernel, state["patch_embed.proj.bias"], stride=kernel.shape[-1])
    y = (
        torch.cat((state["cls_token"].expand(len(x), -1, -1), y.flatten(2).transpose(1, 2)), 1)
        + state["pos_embed"]
    )
    if is_clip:
        y = norm(y, "pos_drop")
    depth = len({key.split(".")[1] for key in state if key.startswith("blocks.")})
    for i in range(depth):
        q, k, v = linear(norm(y, f"blocks.{i}.norm1"), f"blocks.{i}.attn.qkv").chunk(3, dim=-1)
        q, k, v = (t.unflatten(2, (heads, -1)).transpose(1, 2) for t in (q, k, v))
        mixed = ((q @ k.mT) / q.shape[-1] ** 0.5).softmax(-1) @ v
        y = y + linear(mixed.transpose(1, 2).flatten(2), f"blocks.{i}.attn.proj")
        y = y + linear(
            act(linear(norm(y, f"blocks.{i}.norm2"), f"blocks.{i}.mlp.fc1")), f"blocks.{i}.mlp.fc2"
        )
    embedding = norm(y[:, 0], "norm") @ state["proj"] if is_clip else y[:, 0]
    return embedding, y[:, 1:]


def definition(variant, states, adapter, heads, x):
    """DreamSim's embedding (b, d), centred, and the patches (b, n, w) side by side."""
    found = []
    for i, (name, state) in enumerate(zip(networks.VARIANTS[variant], states, strict=True)):
        prefix = f"base_model.model.extractor_list.{i}.model."
        own = {k.removeprefix(prefix): v for k, v in adapter.items() if k.startswith(prefix)}
        found.append(branch_forward(name, state, own, heads, x))
    embedding = torch.cat([e for e, _ in found], dim=1)
    return embedding - embedding.mean(dim=1, keepdim=True), torch.cat([p for _, p in found], dim=2)


def agree(encoder, images, embedding, patches=None):
    found = encoder.encode(images)
    expected = F.normalize(embedding, dim=1).numpy()
    np.testing.assert_allclose(found.keys, expected, atol=2e-5)
    distance = 1 - F.cosine_similarity(embedding[:1], embedding[1:]).item()
    np.testing.assert_allclose(1 - found.keys[0] @ found.keys[1], distance, atol=2e-5)
    if patches is not None:
        np.testing.assert_allclose(
            found.tokens, patches.numpy(), rtol=2e-3, atol=2e-3 * patches.abs().max().item()
        )


@pytest.mark.parametrize("variant", networks.VARIANTS)
def test_files_give_dreamsims_embedding(variant, small, images, tmp_path):
    states, adapter = write_release(tmp_path / "release", variant, small)
    with torch.no_grad():
        embedding, patches = definition(variant, states, adapter, small["heads"], squares(images))
        bare, _ = definition(variant, states, {}, small["heads"], squares(images))
    grid = 7 if variant.endswith("32") else 14
    encoder = DreamSimRetrieval(variant, tmp_path / "release", token_grid=(grid, grid))
    assert encoder.key_dim == sum(48 if "clip" not in name else 24 for name in networks.VARIANTS[variant])
    agree(encoder, images, embedding, patches)
    # the adapters are not a detail: without them it is another encoder
    assert (F.cosine_similarity(bare, embedding) < 0.99).all()


def test_published_size(images, tmp_path):
    """The CLIP ViT-B/32 variant at its real size."""
    states, adapter = write_release(tmp_path / "release", "clip_vitb32", PUBLISHED)
    encoder = DreamSimRetrieval("clip_vitb32", tmp_path / "release")
    assert encoder.key_dim == 512 and encoder.token_shape == (49, 768)
    with torch.no_grad():
        agree(encoder, images, *definition("clip_vitb32", states, adapter, 12, squares(images)))


@pytest.mark.slow
def test_published_size_of_the_ensemble(images, tmp_path):
    states, adapter = write_release(tmp_path / "release", "ensemble", PUBLISHED)
    encoder = DreamSimRetrieval("ensemble", tmp_path / "release")
    assert encoder.key_dim == 1792 and encoder.token_shape == (49, 2304)
    with torch.no_grad():
        agree(encoder, images, definition("ensemble", states, adapter, 12, squares(images))[0])


@pytest.mark.parametrize("variant", networks.VARIANTS)
def test_the_package_gives_the_same(variant, images, tmp_path, monkeypatch):
    """Against the dreamsim package itself, reading the same folder; it takes DINO's twelfth block by its number."""
    package = pytest.importorskip("dreamsim", reason="pip install dreamsim")
    from dreamsim.feature_extraction import load_clip_as_dino, load_open_clip_as_dino, vision_transformer

    folder = tmp_path / "release"
    small = dict(SMALL, depth=12)
    monkeypatch.setattr(dreamsim_weights, "DreamSim", partial(networks.DreamSim, **small))
    write_release(folder, variant, small)

    def small_vit(patch_size):
        return vision_transformer.VisionTransformer(
            patch_size=patch_size,
            embed_dim=small["width"],
            depth=small["depth"],
            num_heads=small["heads"],
            qkv_bias=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        )

    def hub_load(repository, name):
        # what the hub repository of DINO does, without the network
        network = small_vit(16)
        network.load_state_dict(torch.load(folder / "checkpoints" / DINO_FILE))
        return network

    if "dino_vitb16" in networks.VARIANTS[variant]:
        # DINO's training heads: the package loads them and leaves them unused
        heads = {
            f"module.head.mlp.{i}.{leaf}": torch.zeros(2) for i in (0, 2, 4) for leaf in ("weight", "bias")
        }
        heads["module.head.last_layer.weight"] = torch.zeros(2)
        torch.save({"student": heads}, folder / "dino_vitb16_pretrain.pth")
    for module in (load_clip_as_dino, load_open_clip_as_dino):
        monkeypatch.setattr(module, "vit_base", small_vit)
    monkeypatch.setattr(torch.hub, "load", hub_load)
    monkeypatch.setattr(torch.hub, "set_dir", lambda place: None)
    model, preprocess = package.dreamsim(cache_dir=str(folder), dreamsim_type=variant, device="cpu")
    x = torch.cat([preprocess(Image.fromarray(image)) for image in images])
    with torch.no_grad():
        expected = model.embed(x)
        distance = model(x[:1], x[1:]).item()
    keys = DreamSimRetrieval(variant, folder).encode(images).keys
    np.testing.assert_allclose(keys, expected.numpy(), atol=2e-5)
    np.testing.assert_allclose(1 - keys[0] @ keys[1], distance, atol=2e-5)


def test_fingerprint_follows_the_adapter(small, tmp_path):
    _, adapter = write_release(tmp_path / "release", "clip_vitb32", small)
    first = DreamSimRetrieval("clip_vitb32", tmp_path / "release").fingerprint
    (tmp_path / "release").rename(tmp_path / "moved")
    assert DreamSimRetrieval("clip_vitb32", tmp_path / "moved").fingerprint == first
    lora = tmp_path / "moved" / "clip_vitb32_single_lora"
    (lora / "adapter_model.safetensors").unlink()
    # as older releases of peft write it
    torch.save(adapter, lora / "adapter_model.bin")
    assert DreamSimRetrieval("clip_vitb32", tmp_path / "moved").fingerprint == first
    torch.save({k: 2 * v for k, v in adapter.items()}, lora / "adapter_model.bin")
    assert DreamSimRetrieval("clip_vitb32", tmp_path / "moved").fingerprint != first


def test_missing_files_are_named_with_their_address(small, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        RETRIEVAL_BACKBONES.build(
            dict(Config.fromfile(CONFIG).retrieval.backbone.to_dict(), folder=str(tmp_path))
        )
    for part in (
        "clip_vitb16_pretrain.pth.tar, open_clip_vitb16_pretrain.pth.tar",
        "ensemble_lora/adapter_config.json",
        "v0.2.0-checkpoints/dreamsim_ensemble_checkpoint.zip",
        "https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth",
    ):
        assert part in str(caught.value)
    write_release(tmp_path / "release", "clip_vitb32", small)
    (tmp_path / "release" / "clip_vitb32_pretrain.pth.tar").unlink()
    with pytest.raises(FileNotFoundError, match=r"needs clip_vitb32_pretrain.pth.tar, not found") as caught:
        DreamSimRetrieval("clip_vitb32", tmp_path / "release")
    assert "fbaipublicfiles" not in str(caught.value)


def test_dinos_weights_may_lie_in_the_folder_itself(small, tmp_path):
    write_release(tmp_path / "release", "dino_vitb16", small)
    first = DreamSimRetrieval("dino_vitb16", tmp_path / "release").fingerprint
    (tmp_path / "release" / "checkpoints" / DINO_FILE).rename(tmp_path / "release" / DINO_FILE)
    assert DreamSimRetrieval("dino_vitb16", tmp_path / "release").fingerprint == first


def test_wrong_files_are_refused_with_counts(small, tmp_path):
    folder = tmp_path / "release"
    _, adapter = write_release(folder, "clip_vitb32", small)
    lora = folder / "clip_vitb32_single_lora"
    part = {k: v for k, v in adapter.items() if "blocks.1" not in k}
    save_file(part, lora / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="not the adapter of clip_vitb32: 2 keys missing, 0 unexpected"):
        DreamSimRetrieval("clip_vitb32", folder)
    save_file({k: v[:, :-1].contiguous() for k, v in adapter.items()}, lora / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="0 keys missing, 0 unexpected, 2 of another shape"):
        DreamSimRetrieval("clip_vitb32", folder)
    torch.save(branch_state("dino_vitb16", small, 0), folder / "clip_vitb32_pretrain.pth.tar")
    with pytest.raises(
        ValueError, match="not weights of DreamSim's clip_vitb32: 3 keys missing.*2 of another shape"
    ):
        DreamSimRetrieval("clip_vitb32", folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(use_dora=True), "adapters with use_dora cannot be merged"),
        (dict(alpha_pattern={"qkv": 3}), "adapters with alpha_pattern cannot be merged"),
        (dict(r=0), "not the configuration of a LoRA adapter"),
        (dict(target_modules="qkv"), "target_modules must be a list"),
        (dict(target_modules=["nothing"]), "0 keys missing, 4 unexpected"),
    ],
)
def test_adapters_of_another_kind_are_refused(change, message, small, tmp_path):
    write_release(tmp_path / "release", "clip_vitb32", small)
    path = tmp_path / "release" / "clip_vitb32_single_lora" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        DreamSimRetrieval("clip_vitb32", tmp_path / "release")

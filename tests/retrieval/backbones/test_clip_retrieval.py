"""CLIP's weights out of both published layouts, and its own preprocessing."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine import Config
from PIL import Image

from procrop.networks.pixel_statistics import CLIP
from procrop.registry import RETRIEVAL_BACKBONES
from procrop.retrieval.backbones import CLIPRetrieval

CONFIGS = Path(__file__).parents[3] / "configs" / "_base_" / "retrieval"
WIDTH, HEADS, PATCH, SIDE, OUT = 32, 4, 8, 32, 16


@pytest.fixture(scope="module")
def images():
    import skimage.data

    return [skimage.data.chelsea(), skimage.data.coffee()]


@pytest.fixture(scope="module")
def state():
    """A small image tower in OpenCLIP's layout, of a size at which every part of it matters."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape, around=0.0):
        return around + 0.3 * torch.randn(*shape, generator=generator)

    state = {
        "class_embedding": draw(WIDTH),
        "positional_embedding": draw((SIDE // PATCH) ** 2 + 1, WIDTH),
        "conv1.weight": draw(WIDTH, 3, PATCH, PATCH),
        "proj": draw(WIDTH, OUT),
    }
    norms = ["ln_pre", "ln_post"]
    for i in range(2):
        block = f"transformer.resblocks.{i}"
        norms += [f"{block}.ln_1", f"{block}.ln_2"]
        state[f"{block}.attn.in_proj_weight"] = draw(3 * WIDTH, WIDTH)
        state[f"{block}.attn.in_proj_bias"] = draw(3 * WIDTH)
        layers = {
            "attn.out_proj": (WIDTH, WIDTH),
            "mlp.c_fc": (4 * WIDTH, WIDTH),
            "mlp.c_proj": (WIDTH, 4 * WIDTH),
        }
        for name, shape in layers.items():
            state[f"{block}.{name}.weight"], state[f"{block}.{name}.bias"] = draw(*shape), draw(shape[0])
    for name in norms:
        state[f"{name}.weight"], state[f"{name}.bias"] = draw(WIDTH, around=1.0), draw(WIDTH)
    return state


def whole_clip(state):
    """What a published file holds: the image tower among the rest."""
    rest = {
        "logit_scale": torch.tensor(4.6),
        "text_projection": torch.zeros(4, 4),
        "ln_final.weight": torch.ones(4),
    }
    return rest | {f"visual.{key}": value for key, value in state.items()}


def open_clip_forward(state, x, activation):
    """OpenCLIP's image tower, written from its definition: keys (b, OUT), last layer's patches (b, n, WIDTH)."""

    def norm(x, name):
        return F.layer_norm(x, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"])

    def linear(x, name):
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    x = F.conv2d(x, state["conv1.weight"], stride=PATCH).flatten(2).transpose(1, 2)
    x = torch.cat((state["class_embedding"].expand(len(x), 1, WIDTH), x), dim=1)
    x = norm(x + state["positional_embedding"], "ln_pre")
    for i in range(2):
        block = f"transformer.resblocks.{i}"
        attention = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        own = {
            k.removeprefix(f"{block}.attn."): v for k, v in state.items() if k.startswith(f"{block}.attn.")
        }
        attention.load_state_dict(own)
        y = norm(x, f"{block}.ln_1")
        x = x + attention(y, y, y, need_weights=False)[0]
        x = x + linear(
            activation(linear(norm(x, f"{block}.ln_2"), f"{block}.mlp.c_fc")), f"{block}.mlp.c_proj"
        )
    return norm(x[:, 0], "ln_post") @ state["proj"], x[:, 1:]


ACTIVATIONS = {"gelu": F.gelu, "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x)}


def pixels(images, size=SIDE):
    squares = [np.asarray(Image.fromarray(i).resize((size, size), Image.Resampling.BICUBIC)) for i in images]
    x = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in CLIP)
    return (x - mean) / std


def close(found, expected, tolerance=1e-5):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("hidden_act", ACTIVATIONS)
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_open_clip_layout_gives_what_open_clip_computes(state, images, tmp_path, hidden_act, suffix):
    path = tmp_path / f"open_clip_model.{suffix}"
    if suffix == "safetensors":
        from safetensors.torch import save_file

        save_file(whole_clip(state), path)
    else:
        torch.save({"state_dict": {f"module.{k}": v for k, v in whole_clip(state).items()}}, path)
    config = dict(hidden_act=hidden_act, num_attention_heads=HEADS)
    encoder = CLIPRetrieval(checkpoint=path, config=config, token_grid=(4, 4))
    found = encoder.encode(images)
    with torch.no_grad():
        keys, patches = open_clip_forward(state, pixels(images), ACTIVATIONS[hidden_act])
    close(found.keys, keys.numpy())
    close(found.tokens.astype(np.float32), patches.numpy(), 1e-3)


def test_open_clip_layout_gives_what_the_package_computes(state, images, tmp_path):
    transformer = pytest.importorskip("open_clip.transformer", reason="pip install open_clip_torch")
    tower = transformer.VisionTransformer(
        image_size=SIDE,
        patch_size=PATCH,
        width=WIDTH,
        layers=2,
        heads=HEADS,
        mlp_ratio=4,
        output_dim=OUT,
        act_layer=transformer.QuickGELU,
    ).eval()
    tower.load_state_dict(state)
    torch.save(whole_clip(state), tmp_path / "open_clip.pt")
    config = dict(hidden_act="quick_gelu", num_attention_heads=HEADS)
    with torch.no_grad():
        expected = tower(pixels(images)).numpy()
    close(CLIPRetrieval(checkpoint=tmp_path / "open_clip.pt", config=config).encode(images).keys, expected)


@pytest.fixture
def folder(tmp_path):
    """A whole CLIP as transformers saves it, text tower and all."""
    from transformers import CLIPConfig, CLIPModel

    sizes = dict(hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=2, num_attention_heads=HEADS)
    config = CLIPConfig(
        text_config=dict(**sizes, vocab_size=50, eos_token_id=2, bos_token_id=1),
        vision_config=dict(**sizes, image_size=SIDE, patch_size=PATCH, projection_dim=OUT),
        projection_dim=OUT,
        initializer_factor=4.0,
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(tmp_path / "clip")
    return tmp_path / "clip"


def test_folder_of_a_whole_clip(folder, images):
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(folder).eval()
    with torch.no_grad():
        vision = model.vision_model(pixel_values=pixels(images))
        expected = model.visual_projection(vision.pooler_output).numpy()
    found = CLIPRetrieval(str(folder), token_grid=(2, 2)).encode(images)
    close(found.keys, expected)
    # each token is the mean of the four patches in its quarter
    quarters = (
        vision.last_hidden_state[:, 1:].reshape(2, 2, 2, 2, 2, WIDTH).mean(dim=(2, 4)).reshape(2, 4, WIDTH)
    )
    close(found.tokens.astype(np.float32), quarters.numpy(), 1e-3)


def test_torch_file_in_a_folder_is_the_same_encoder(folder, images):
    from safetensors.torch import load_file

    state = load_file(folder / "model.safetensors")
    encoder = CLIPRetrieval(str(folder))
    (folder / "model.safetensors").unlink()
    # as old files hold it: indices among the weights
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    torch.save(state, folder / "pytorch_model.bin")
    other = CLIPRetrieval(str(folder))
    assert other.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(other.encode(images).keys, encoder.encode(images).keys)


def test_both_layouts_of_the_same_weights_are_the_same_encoder(state, tmp_path, images):
    from procrop.networks.clip_weights import load_open_clip

    torch.save(whole_clip(state), tmp_path / "open_clip.pt")
    config = dict(hidden_act="quick_gelu", num_attention_heads=HEADS)
    load_open_clip(tmp_path / "open_clip.pt", config).save_pretrained(tmp_path / "clip")
    one = CLIPRetrieval(checkpoint=tmp_path / "open_clip.pt", config=config)
    other = CLIPRetrieval(str(tmp_path / "clip"))
    assert one.fingerprint == other.fingerprint
    np.testing.assert_array_equal(one.encode(images).keys, other.encode(images).keys)


def test_published_size(images):
    """ViT-B/32 as published, randomly filled."""
    encoder = CLIPRetrieval(random_weights_seed=0)
    found = encoder.encode(images[:1])
    assert found.keys.shape == (1, 512) and found.tokens.shape == (1, 49, 768)
    assert sum(p.numel() for p in encoder.network.parameters()) == 87_849_216
    assert encoder.prepare(images[0]).shape == (224, 224, 3)


@pytest.mark.parametrize("size", [(451, 300), (300, 451), (640, 480), (333, 1000), (7, 5), (224, 224)])
def test_centre_crop_is_clips_own(size):
    """The same pixels as resizing the short side and cutting out the centre, up to rounding."""
    from torchvision import transforms

    image = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    own = transforms.Compose(
        [
            transforms.Resize(32, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(32),
        ]
    )
    expected = np.asarray(own(Image.fromarray(image))).astype(int)
    config = dict(image_size=32, patch_size=8, hidden_size=32, num_hidden_layers=1, num_attention_heads=4)
    found = CLIPRetrieval(random_weights_seed=0, resize="centre_crop", config=config).prepare(image)
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((300, 300), (7, 7)),
        ((400, 300), (6, 8)),
        ((300, 400), (8, 6)),
        ((1000, 20), (1, 49)),
        ((20, 1000), (49, 1)),
    ],
)
def test_keep_aspect_takes_the_nearest_grid(size, grid):
    config = dict(image_size=56, patch_size=8, hidden_size=32, num_hidden_layers=1, num_attention_heads=4)
    encoder = CLIPRetrieval(random_weights_seed=0, resize="keep_aspect", config=config)
    prepared = encoder.prepare(np.zeros((size[1], size[0], 3), np.uint8))
    assert prepared.shape[:2] == (8 * grid[0], 8 * grid[1])


def test_keep_aspect_is_idempotent_for_every_shape():
    config = dict(image_size=48, patch_size=8, hidden_size=32, num_hidden_layers=1, num_attention_heads=4)
    encoder = CLIPRetrieval(random_weights_seed=0, resize="keep_aspect", config=config)
    for width in range(1, 400, 7):
        prepared = encoder.prepare(np.zeros((50, width, 3), np.uint8))
        assert encoder.prepare(prepared) is prepared
        assert prepared.shape[0] * prepared.shape[1] <= 48 * 48


def test_missing_weights_name_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"hf download nobody/no-such-clip --revision abc"):
        CLIPRetrieval("nobody/no-such-clip", revision="abc")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty: the folder has no config.json"):
        CLIPRetrieval(str(tmp_path / "empty"))


def test_another_model_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "siglip"}))
    with pytest.raises(ValueError, match="config.json: describes a model of type 'siglip'"):
        CLIPRetrieval(str(folder))
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json: not the description of a model"):
        CLIPRetrieval(str(folder))


def test_folder_without_weights_is_named(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="has no model.safetensors or pytorch_model.bin"):
        CLIPRetrieval(str(folder))


def test_a_wrong_checkpoint_is_refused_with_counts(folder, state, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 3
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        ValueError, match=r"not weights of a CLIP image tower .*16 keys missing, 0 unexpected"
    ):
        CLIPRetrieval(str(folder))
    settings = dict(hidden_act="gelu", num_attention_heads=HEADS)
    bad = whole_clip(state)
    bad["visual.transformer.resblocks.0.ls_1.gamma"] = torch.ones(WIDTH)
    del bad["visual.ln_post.bias"]
    torch.save(bad, tmp_path / "bad.pt")
    with pytest.raises(ValueError, match=r"bad.pt: not weights .*1 keys missing, 1 unexpected"):
        CLIPRetrieval(checkpoint=tmp_path / "bad.pt", config=settings)
    torch.save({"visual.layer1.0.conv1.weight": torch.zeros(1)}, tmp_path / "resnet.pt")
    with pytest.raises(ValueError, match="resnet.pt: not an OpenCLIP image tower of the ViT kind"):
        CLIPRetrieval(checkpoint=tmp_path / "resnet.pt", config=settings)


def test_the_activation_is_never_guessed(state, tmp_path):
    torch.save(whole_clip(state), tmp_path / "open_clip.pt")
    with pytest.raises(ValueError, match="hidden_act"):
        CLIPRetrieval(checkpoint=tmp_path / "open_clip.pt")


def test_a_torchscript_program_is_not_run(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "ViT-B-32.pt"))
    with pytest.raises(ValueError, match=r"ViT-B-32.pt: cannot be read as weights"):
        CLIPRetrieval(checkpoint=tmp_path / "ViT-B-32.pt", config=dict(hidden_act="quick_gelu"))


@pytest.mark.parametrize(
    ("name", "dims"), [("clip_vit_b32", (OUT, (49, WIDTH))), ("clip_vit_l14", (OUT, (64, WIDTH)))]
)
def test_configs_build_with_a_local_folder(folder, name, dims):
    backbone = Config.fromfile(CONFIGS / f"{name}.py").retrieval.backbone.to_dict()
    assert len(backbone["revision"]) == 40
    encoder = RETRIEVAL_BACKBONES.build(dict(backbone, model=str(folder), revision=None))
    assert (encoder.key_dim, encoder.token_shape) == dims
    assert "transformers" in sys.modules

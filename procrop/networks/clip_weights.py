"""CLIP out of published files into the network of transformers: its image tower from transformers' layout or
OpenCLIP's, both towers from transformers'."""

import os
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .hub_files import published_file, read_model_description
from .weights import load_strict, read_state

if TYPE_CHECKING:
    from transformers import CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection

_KIND = "a CLIP"
_FILES = ("model.safetensors", "pytorch_model.bin")
# the rest of a whole CLIP, and the indices that old transformers stored among the weights
_NOT_IMAGE = ("text_model.", "text_projection.", "logit_scale", "logit_bias")
_INDICES = "vision_model.embeddings.position_ids"
_TEXT_INDICES = "text_model.embeddings.position_ids"
# most published towers have heads of 64 channels; ViT-H and larger say otherwise in `config`
_HEAD_WIDTH = 64
_LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}


def load_clip(
    model: str, revision: str | None = None, local_files_only: bool = True
) -> "CLIPVisionModelWithProjection":
    """Load the image tower from a folder or a hub name; the text tower of a whole CLIP is passed over.

    Args:
        model: Folder with ``config.json`` and ``model.safetensors`` (or ``pytorch_model.bin``), or a hub name.
        revision: Commit of the hub repository.
        local_files_only: Take hub files from the local cache and never from the network.

    Raises:
        FileNotFoundError: The files are not there, with the command that fetches them.
        ValueError: They are not weights of a CLIP image tower.
    """
    config = _read_config(published_file(model, ("config.json",), revision, local_files_only, _KIND))
    path = published_file(model, _FILES, revision, local_files_only, _KIND)
    state = {k: v for k, v in read_state(path).items() if not k.startswith(_NOT_IMAGE) and k != _INDICES}
    return _filled(config, state, path)


def load_clip_towers(model: str, revision: str | None = None, local_files_only: bool = True) -> "CLIPModel":
    """Load both towers and their projections from a folder or a hub name; see `load_clip` for the arguments.

    Raises:
        FileNotFoundError: The files are not there, with the command that fetches them.
        ValueError: They are not weights of a whole CLIP.
    """
    from transformers import CLIPConfig, CLIPModel

    described = published_file(model, ("config.json",), revision, local_files_only, _KIND)
    raw = read_model_description(described)
    if raw.get("model_type") != "clip" or not {"text_config", "vision_config"} <= raw.keys():
        raise ValueError(
            f"{described}: describes a model of type {raw.get('model_type')!r}; a whole CLIP, image and text, is "
            "needed, such as openai/clip-vit-base-patch32"
        )
    config = CLIPConfig.from_dict(raw)
    path = published_file(model, _FILES, revision, local_files_only, _KIND)
    state = {k: v for k, v in read_state(path).items() if k not in (_INDICES, _TEXT_INDICES)}
    network = CLIPModel(config).float()
    what = (
        f"a CLIP (image width {config.vision_config.hidden_size}, text width {config.text_config.hidden_size}, "
        f"{config.projection_dim} outputs)"
    )
    load_strict(network, state, path, what, "give the files of a CLIP with both towers")
    return network


def load_open_clip(path: str | os.PathLike, config: dict) -> "CLIPVisionModelWithProjection":
    """Load the image tower from a file in OpenCLIP's layout, which OpenAI's state dicts share.

    The sizes are read off the tensors. OpenAI's own ``.pt`` downloads are TorchScript programs, which are not run.

    Args:
        path: The file; ``open_clip_model.safetensors`` or a torch file of plain tensors.
        config: ``CLIPVisionConfig`` fields that tensors do not tell: ``hidden_act`` (needed: ``"quick_gelu"`` for
            OpenAI's weights, ``"gelu"`` for most others), and ``num_attention_heads`` where heads are not 64 wide.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not weights of such an image tower, or ``hidden_act`` is missing.
    """
    from transformers import CLIPVisionConfig

    if "hidden_act" not in config:
        raise ValueError(
            f"{path}: the file does not tell its activation; give config=dict(hidden_act=...), 'quick_gelu' for "
            "OpenAI's weights, 'gelu' for LAION's and most others"
        )
    state = {k.removeprefix("module."): v for k, v in read_state(path).items()}
    state = {k.removeprefix("visual."): v.float() for k, v in state.items() if k.startswith("visual.")}
    sizes = _sizes(state, path)
    return _filled(CLIPVisionConfig(**{**sizes, **config}), _from_open_clip(state), path)


def _read_config(path: str) -> "CLIPVisionConfig":
    """The image tower's part of a ``config.json``.

    Read here, since transformers fills what it does not understand with defaults.
    """
    from transformers import CLIPVisionConfig

    raw = read_model_description(path)
    kind = raw.get("model_type")
    if kind == "clip_vision_model":
        return CLIPVisionConfig.from_dict(raw)
    if kind != "clip" or "vision_config" not in raw:
        raise ValueError(
            f"{path}: describes a model of type {kind!r}; a CLIP with a ViT image tower is needed"
        )
    own = raw["vision_config"]
    return CLIPVisionConfig.from_dict(
        {**own, "projection_dim": raw.get("projection_dim", own.get("projection_dim"))}
    )


def _filled(
    config: "CLIPVisionConfig", state: dict[str, Tensor], path: str | os.PathLike
) -> "CLIPVisionModelWithProjection":
    from transformers import CLIPVisionModelWithProjection

    network = CLIPVisionModelWithProjection(config).float()
    what = (
        f"a CLIP image tower (width {config.hidden_size}, {config.num_hidden_layers} layers, patches of "
        f"{config.patch_size} pixels, {config.projection_dim} outputs)"
    )
    load_strict(
        network, state, path, what, "give the files of a CLIP ViT with a class token and a projection"
    )
    return network


def _sizes(state: dict[str, Tensor], path: str | os.PathLike) -> dict:
    """``CLIPVisionConfig`` fields that the tensors of an OpenCLIP image tower tell."""
    needed = {
        "conv1.weight": 4,
        "positional_embedding": 2,
        "proj": 2,
        "transformer.resblocks.0.mlp.c_fc.weight": 2,
    }
    missing = [k for k, ndim in needed.items() if k not in state or state[k].ndim != ndim]
    if missing:
        raise ValueError(
            f"{path}: not an OpenCLIP image tower of the ViT kind: {len(missing)} of {len(needed)} tensors that tell "
            f"its size are missing (e.g. visual.{missing[0]}); ResNet and timm towers cannot be loaded"
        )
    width, _, patch, _ = state["conv1.weight"].shape
    grid = round((len(state["positional_embedding"]) - 1) ** 0.5)
    return dict(
        hidden_size=width,
        intermediate_size=len(state["transformer.resblocks.0.mlp.c_fc.weight"]),
        projection_dim=state["proj"].shape[1],
        num_hidden_layers=len({k.split(".")[2] for k in state if k.startswith("transformer.resblocks.")}),
        num_attention_heads=max(1, width // _HEAD_WIDTH),
        image_size=grid * patch,
        patch_size=patch,
    )


def _from_open_clip(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename OpenCLIP's image tower (without its ``visual.``) to transformers' keys."""
    top = {
        "class_embedding": "embeddings.class_embedding",
        "positional_embedding": "embeddings.position_embedding.weight",
        "conv1.weight": "embeddings.patch_embedding.weight",
    }
    norms = {"ln_pre": "pre_layrnorm", "ln_post": "post_layernorm"}
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        module, _, leaf = key.rpartition(".")
        if key == "proj":
            renamed["visual_projection.weight"] = value.T.contiguous()
        elif key in top:
            renamed[f"vision_model.{top[key]}"] = value
        elif module in norms:
            renamed[f"vision_model.{norms[module]}.{leaf}"] = value
        elif module.startswith("transformer.resblocks."):
            number, _, layer = module.removeprefix("transformer.resblocks.").partition(".")
            renamed.update(_layer(f"vision_model.encoder.layers.{number}", layer, leaf, value))
        else:
            renamed[f"visual.{key}"] = value
    return renamed


def _layer(block: str, layer: str, leaf: str, value: Tensor) -> dict[str, Tensor]:
    """One tensor of an OpenCLIP block under transformers' keys; the joint q, k, v projection becomes three."""
    if layer == "attn" and leaf.startswith("in_proj_"):
        leaf = leaf.removeprefix("in_proj_")
        parts = zip("qkv", torch.chunk(value, 3), strict=True)
        return {f"{block}.self_attn.{name}_proj.{leaf}": part.contiguous() for name, part in parts}
    return {f"{block}.{_LAYERS.get(layer, layer)}.{leaf}": value}

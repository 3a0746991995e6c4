"""SAM as retrieval encoder, on transformers."""

import importlib.util
import json
import os
from collections.abc import Mapping

from torch import Tensor, nn

from procrop.networks.sam import LAYER_NORM_EPS, MLP_RATIO, PATCH_SIZE, SAMArch, sam_arch
from procrop.networks.sam_weights import from_hf, to_hf
from procrop.registry import RETRIEVAL_BACKBONES

from .sam_base import SAMBase

_INSTALL = "HFSAMRetrieval needs a package: pip install transformers"
# what all published SAMs have in common; a model that differs here is another network
_FIXED = {
    "patch_size": PATCH_SIZE,
    "num_channels": 3,
    "hidden_act": "gelu",
    "layer_norm_eps": LAYER_NORM_EPS,
    "qkv_bias": True,
    "use_abs_pos": True,
    "use_rel_pos": True,
}


@RETRIEVAL_BACKBONES.register_module()
class HFSAMRetrieval(SAMBase):
    """SAM's image encoder as transformers runs it; embeddings and fingerprint are those of `SAMRetrieval`.

    Args:
        pretrained: Folder that ``SamModel.save_pretrained`` wrote, or a hub name such as
            ``"facebook/sam-vit-base"``; ``config.json`` and ``model.safetensors`` are taken from it. Instead of
            ``checkpoint``.
        revision: Commit, tag or branch of the hub's repository. Name the commit: a branch moves, and with other
            weights older galleries are refused.
        local_files_only: Take a hub name from the local cache alone. False downloads what is missing.
        kwargs: Arguments of `SAMBase`; ``model_type`` and ``arch`` must be what ``pretrained`` holds.

    Raises:
        FileNotFoundError: ``pretrained`` is neither a folder with these files nor in the cache.
        ValueError: As `SAMBase`; or ``pretrained`` holds another architecture, or comes with a ``checkpoint``, or a
            folder with a revision.
        ImportError: transformers is not installed.
    """

    def __init__(
        self,
        pretrained: str | os.PathLike | None = None,
        revision: str | None = None,
        local_files_only: bool = True,
        **kwargs,
    ) -> None:
        if pretrained is None:
            if revision is not None:
                raise ValueError("revision belongs to a hub name: give pretrained='facebook/sam-vit-base'")
        else:
            if kwargs.get("checkpoint") is not None:
                raise ValueError("give either pretrained or checkpoint, not both")
            arch = sam_arch(kwargs.get("model_type", "vit_b"), kwargs.get("arch"))
            kwargs["checkpoint"] = _find_weights(os.fspath(pretrained), revision, local_files_only, arch)
        super().__init__(**kwargs)

    def build_network(self, arch: SAMArch) -> nn.Module:
        try:
            from transformers import SamVisionConfig
            from transformers.models.sam.modeling_sam import SamVisionEncoder
        except ImportError as error:
            raise ImportError(_INSTALL) from error
        config = SamVisionConfig(
            hidden_size=arch.embed_dim,
            output_channels=arch.out_channels,
            num_hidden_layers=arch.depth,
            num_attention_heads=arch.num_heads,
            image_size=arch.image_size,
            window_size=arch.window_size,
            global_attn_indexes=list(arch.global_attn_indexes),
            mlp_dim=MLP_RATIO * arch.embed_dim,
            **_FIXED,
        )
        return SamVisionEncoder(config)

    def to_network_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return to_hf(state)

    def to_official_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return from_hf(state)

    def feature_map(self, x: Tensor) -> Tensor:
        return self.network(x).last_hidden_state


def _find_weights(name: str, revision: str | None, local_files_only: bool, arch: SAMArch) -> str:
    """Path of the weights in a folder or of a hub name, after a look at its configuration."""
    if importlib.util.find_spec("transformers") is None:
        raise ImportError(_INSTALL)
    if revision is not None and os.path.isdir(name):
        raise ValueError(f"{name}: a folder has no revision {revision!r}; leave it out")
    config, weights = (
        _find(name, file, revision, local_files_only) for file in ("config.json", "model.safetensors")
    )
    held = _read_arch(config)
    if held != arch:
        raise ValueError(f"{name}: holds another SAM than model_type and arch say: {held}, not {arch}")
    return weights


def _find(name: str, file: str, revision: str | None, local_files_only: bool) -> str:
    from transformers.utils import cached_file

    try:
        path = cached_file(name, file, revision=revision, local_files_only=local_files_only)
    except (OSError, ValueError) as error:
        reason = error
    else:
        if path is not None:  # None: a folder without config.json
            return path
        reason = None
    raise FileNotFoundError(
        f"{name}: no {file} there; give a folder written by SamModel.save_pretrained, or a hub name that is in the "
        f"local cache (local_files_only=False downloads it)"
    ) from reason


def _read_arch(path: str) -> SAMArch:
    """The image encoder that the ``config.json`` of a SamModel or SamVisionModel describes."""
    from transformers import SamVisionConfig

    with open(path, encoding="utf-8") as file:
        values = json.load(file)
    if values.get("model_type") not in ("sam", "sam_vision_model"):
        raise ValueError(f"{path}: describes a {values.get('model_type')!r} model, not a SAM")
    config = SamVisionConfig.from_dict(values.get("vision_config", values))
    for key, value in {**_FIXED, "mlp_dim": MLP_RATIO * config.hidden_size}.items():
        if getattr(config, key) != value:
            raise ValueError(f"{path}: {key} is {getattr(config, key)!r}; SAM's image encoder has {value!r}")
    return SAMArch(
        embed_dim=config.hidden_size,
        depth=config.num_hidden_layers,
        num_heads=config.num_attention_heads,
        global_attn_indexes=tuple(config.global_attn_indexes),
        image_size=config.image_size,
        window_size=config.window_size,
        out_channels=config.output_channels,
    )

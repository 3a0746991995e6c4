"""CLIP's words and patches in their joint space, as tokens of a photo and its caption."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from procrop.io.manifest import sha256_json
from procrop.networks.clip_weights import load_clip_towers
from procrop.registry import TEXT_ENCODERS
from procrop.retrieval.backbones.base import checked_grid, weights_sha256

from .tokenizers import byte_clip_tokenizer, load_clip_tokenizer, tokenizer_sha256
from .torch_text_encoder import TorchTextEncoder

# raise when preprocessing, pooling or cutting changes, so that older tokens are refused
_VERSION = 1
_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "hidden_act", "layer_norm_eps")


@TEXT_ENCODERS.register_module()
class CLIPTextEncoder(TorchTextEncoder):
    """Words and patches of a CLIP, both projected to the space in which it compares photos and captions.

    M holds, in this order:

    - a token for each word piece and one for the end of the caption: the text tower's last states after its final
      norm, through the text projection. A state knows the words up to its own; the last is CLIP's embedding of the
      caption. The state of the start says nothing of the caption and is left out.
    - rows * columns tokens of the photo, top left first: the image tower's last patch states after its final norm,
      through the image projection, averaged over the cells of ``token_grid``.

    None of them is scaled to unit length. Words do not look at the photo: unlike in BLIP, the cropper has to bring
    the two together. It writes no captions. Give either ``model`` or ``random_weights_seed``.

    Args:
        model: Folder or hub name of a CLIP with a ViT, e.g. ``"openai/clip-vit-base-patch32"``.
        revision: Commit of the hub repository; pin it.
        local_files_only: Never go to the network for hub files.
        random_weights_seed: Random weights, for tests and demonstrations, with a tokenizer of single bytes.
        config: ``CLIPConfig`` fields of the random network; None takes ViT-B/32.
        token_grid: (rows, columns) of the photo's tokens.
        max_caption_tokens: Tokens of a caption that count, the two at its ends included; the rest is cut off. CLIP
            reads 77 at most.
        batch_size, device, dtype: See `TorchTextEncoder`.

    Raises:
        ValueError: A parameter out of range, or weights or a tokenizer that do not fit.
        FileNotFoundError: The weights are not there.

    Source: Radford et al. 2021.
    """

    def __init__(
        self,
        model: str | None = None,
        revision: str | None = None,
        local_files_only: bool = True,
        random_weights_seed: int | None = None,
        config: dict | None = None,
        token_grid: Sequence[int] = (4, 4),
        max_caption_tokens: int = 77,
        batch_size: int = 8,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        self._grid = checked_grid(token_grid)
        if (model is None) == (random_weights_seed is None):
            raise ValueError("give exactly one of model and random_weights_seed")
        if model is not None:
            if config is not None:
                raise ValueError("config cannot be given with model: the folder has its own config.json")
            network = load_clip_towers(model, revision, local_files_only)
            tokenizer = load_clip_tokenizer(model, revision, local_files_only)
        else:
            tokenizer = byte_clip_tokenizer()
            network = _random_clip(config or {}, random_weights_seed, tokenizer)
        text, vision = network.config.text_config, network.config.vision_config
        if len(tokenizer) > text.vocab_size:
            raise ValueError(
                f"{model}: the tokenizer has {len(tokenizer)} tokens and the network {text.vocab_size}; take both "
                "from the same model"
            )
        if not 3 <= max_caption_tokens <= text.max_position_embeddings:
            raise ValueError(
                f"max_caption_tokens must be in 3..{text.max_position_embeddings}, not {max_caption_tokens}"
            )
        self._token_dim = network.config.projection_dim
        towers = _Towers(network, self._grid)
        self._fingerprint = sha256_json(
            {
                "type": type(self).__name__,
                "text": {name: getattr(text, name) for name in _SIZES},
                "vision": {name: getattr(vision, name) for name in (*_SIZES, "image_size", "patch_size")},
                "weights": weights_sha256(towers.state_dict()),
                "tokenizer": tokenizer_sha256(tokenizer),
                "token_grid": self._grid,
                "max_caption_tokens": max_caption_tokens,
                "version": _VERSION,
            }
        )
        super().__init__(towers, tokenizer, vision.image_size, max_caption_tokens, batch_size, device, dtype)

    @property
    def token_dim(self) -> int:
        return self._token_dim

    @property
    def max_tokens(self) -> int:
        return self.max_caption_tokens - 1 + self._grid[0] * self._grid[1]

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def embed(self, pixels: Tensor, input_ids: Tensor, attention_mask: Tensor) -> list[Tensor]:
        words, patches = self.network(pixels, input_ids, attention_mask)
        kept = attention_mask.bool()
        kept[:, 0] = False
        return [
            torch.cat((states[mask], photo)) for states, mask, photo in zip(words, kept, patches, strict=True)
        ]


class _Towers(nn.Module):
    """Both towers of a ``CLIPModel`` with their projections, the photo's patches pooled to a grid."""

    def __init__(self, clip: nn.Module, grid: tuple[int, int]) -> None:
        super().__init__()
        self.text_model, self.text_projection = clip.text_model, clip.text_projection
        self.vision_model, self.visual_projection = clip.vision_model, clip.visual_projection
        self.grid, self.patch = grid, clip.config.vision_config.patch_size

    def forward(self, pixels: Tensor, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """(b, 3, S, S), (b, n), (b, n) -> words (b, n, d_t), patches (b, rows * columns, d_t)."""
        words = self.text_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        patches = self.vision_model(pixel_values=pixels).last_hidden_state[:, 1:]
        patches = self.visual_projection(self.vision_model.post_layernorm(patches)).transpose(1, 2)
        raster = patches.unflatten(2, tuple(side // self.patch for side in pixels.shape[2:]))
        pooled = F.adaptive_avg_pool2d(raster, self.grid).flatten(2).transpose(1, 2)
        return self.text_projection(words), pooled


def _random_clip(config: dict, seed: int, tokenizer: object) -> nn.Module:
    from transformers import CLIPConfig, CLIPModel

    config = dict(config)
    ids = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    text = {**config.pop("text_config", {}), **ids}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CLIPModel(CLIPConfig(text_config=text, **config)).float()

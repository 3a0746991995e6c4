"""BLIP: a caption of each photo, and the tokens of its image-grounded text encoder."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from torch import Tensor, nn

from procrop.io.manifest import sha256_json
from procrop.registry import TEXT_ENCODERS
from procrop.retrieval.backbones.base import weights_sha256

from .blip_captioner import BlipCaptioner, architecture, check_decoding
from .pretrained_blip import BlipParts, find_blip, random_blip
from .tokenizers import tokenizer_sha256
from .torch_text_encoder import TorchTextEncoder

# raise when preprocessing, masking or cutting changes, so that older tokens are refused
_VERSION = 1
# BLIP continues the words it is given
PROMPT = "a photo composed of"
_STARTS = ("[ENC]", "[CLS]")


@TEXT_ENCODERS.register_module()
class BLIPTextEncoder(TorchTextEncoder):
    """Captions by BLIP, and as tokens M the last hidden states of its text encoder, which looks at the photo.

    ```
    photo ─► squash to S×S ─► image network ─► decoder, from the prompt on ─► caption        (caption_model)
                                      │                                          │ or one from elsewhere
    photo ─► squash to S×S ─► image network ─► text encoder: words attend to words and photo ◄┘  (token_model)
                                                        └─► M (m', d_t)
    ```

    M has a token for each word piece of the caption and one for its end, and one for its start unless ``keep_start``
    is off; padding is masked, then cut off. d_t is 768 in BLIP base. Give either ``token_model`` or
    ``random_weights_seed``.

    Args:
        token_model: Folder or hub name of a ``BlipForImageTextRetrieval``, e.g. ``"Salesforce/blip-itm-base-coco"``.
        token_revision: Commit of its hub repository; pin it.
        caption_model: Folder or hub name of a ``BlipForConditionalGeneration``, e.g.
            ``"Salesforce/blip-image-captioning-base"``; None writes no captions. Its weights are read when the first
            caption, or its fingerprint, is asked for.
        caption_revision: Commit of its hub repository; pin it.
        local_files_only: Never go to the network for hub files.
        random_weights_seed: Random weights for both networks, for tests and demonstrations: captions and tokens
            depend on photo and caption, and mean nothing.
        config: ``BlipConfig`` fields of random networks, see `random_blip`; None takes BLIP base.
        vocabulary: Words that a random network's tokenizer knows whole; it spells the others.
        prompt: Beginning that captions continue; it asks for the objects and how they are arranged, and is not part
            of the caption.
        num_beams, max_new_tokens: See `BlipCaptioner`.
        max_caption_tokens: Tokens of a caption that are encoded, the two at its ends included; the rest is cut off.
            BLIP was fine-tuned on 35.
        start_token: ``"[ENC]"``, with which BLIP was trained to encode text with a photo, or ``"[CLS]"``, which
            transformers leaves in its place.
        keep_start: Whether M holds the start token, which speaks of the pair as a whole.
        batch_size, device, dtype: See `TorchTextEncoder`.

    Raises:
        ValueError: A parameter out of range, or weights or a tokenizer that do not fit.
        FileNotFoundError: The weights are not there.

    Source: Li et al. 2022; ProCrop, feature fusion. The paper leaves open variant and prompt.
    """

    def __init__(
        self,
        token_model: str | None = None,
        token_revision: str | None = None,
        caption_model: str | None = None,
        caption_revision: str | None = None,
        local_files_only: bool = True,
        random_weights_seed: int | None = None,
        config: dict | None = None,
        vocabulary: Sequence[str] | None = None,
        prompt: str = PROMPT,
        num_beams: int = 3,
        max_new_tokens: int = 30,
        max_caption_tokens: int = 35,
        start_token: str = "[ENC]",
        keep_start: bool = True,
        batch_size: int = 8,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        if start_token not in _STARTS:
            raise ValueError(f"start_token must be one of {', '.join(_STARTS)}, not {start_token!r}")
        models = (token_model, token_revision), (caption_model, caption_revision)
        if random_weights_seed is None:
            if config is not None or vocabulary is not None:
                raise ValueError("config and vocabulary belong to random_weights_seed: a folder has its own")
            parts, self._caption_parts = _find(*models, local_files_only)
        else:
            if models != ((None, None), (None, None)):
                raise ValueError("give either token_model or random_weights_seed, not both")
            parts, self._caption_parts = (
                random_blip(head, config, random_weights_seed, vocabulary or ())
                for head in ("BlipForImageTextRetrieval", "BlipForConditionalGeneration")
            )
        room = parts.config.text_config.max_position_embeddings
        if not 3 <= max_caption_tokens <= room:
            raise ValueError(f"max_caption_tokens must be in 3..{room}, not {max_caption_tokens}")
        if self._caption_parts is not None:
            check_decoding(self._caption_parts, prompt, num_beams, max_new_tokens)
        self._decoding = dict(prompt=prompt, num_beams=num_beams, max_new_tokens=max_new_tokens)
        self._start_id, self.keep_start = parts.start_ids[start_token], bool(keep_start)
        self._token_dim = parts.config.text_config.hidden_size
        network = _GroundedTextEncoder(parts.build())
        self._fingerprint = sha256_json(
            {
                "type": type(self).__name__,
                "architecture": architecture(parts),
                "weights": weights_sha256(network.state_dict()),
                "tokenizer": tokenizer_sha256(parts.tokenizer),
                "max_caption_tokens": max_caption_tokens,
                "start_id": self._start_id,
                "keep_start": self.keep_start,
                "version": _VERSION,
            }
        )
        super().__init__(
            network, parts.tokenizer, parts.image_size, max_caption_tokens, batch_size, device, dtype
        )

    @property
    def token_dim(self) -> int:
        return self._token_dim

    @property
    def max_tokens(self) -> int:
        return self.max_caption_tokens - (not self.keep_start)

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def caption_fingerprint(self) -> str | None:
        return None if self._caption_parts is None else self._captioner.fingerprint

    @cached_property
    def _captioner(self) -> BlipCaptioner:
        return BlipCaptioner(self._caption_parts, **self._decoding, device=self.device, dtype=self.dtype)

    def caption(self, images: Sequence[np.ndarray]) -> list[str]:
        if self._caption_parts is None:
            return super().caption(images)
        return [caption for _, pixels in self._batches(images) for caption in self._captioner(pixels)]

    def embed(self, pixels: Tensor, input_ids: Tensor, attention_mask: Tensor) -> list[Tensor]:
        input_ids = input_ids.clone()
        input_ids[:, 0] = self._start_id
        hidden = self.network(pixels, input_ids, attention_mask)
        kept = attention_mask.bool()
        kept[:, 0] = self.keep_start
        return [states[mask] for states, mask in zip(hidden, kept, strict=True)]


class _GroundedTextEncoder(nn.Module):
    """The two networks of a ``BlipForImageTextRetrieval`` that tokens come from; its heads are left behind."""

    def __init__(self, matcher: nn.Module) -> None:
        super().__init__()
        self.vision_model, self.text_encoder = matcher.vision_model, matcher.text_encoder

    def forward(self, pixels: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(b, 3, S, S), (b, n), (b, n) -> last hidden states (b, n, d_t)."""
        photo = self.vision_model(pixel_values=pixels).last_hidden_state
        # a photo has no padding, so its tokens need no mask; is_decoder would hide later words from earlier ones
        return self.text_encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            encoder_hidden_states=photo,
            is_decoder=False,
        ).last_hidden_state


def _find(
    token: tuple[str | None, str | None], caption: tuple[str | None, str | None], local_files_only: bool
) -> tuple[BlipParts, BlipParts | None]:
    """Both published networks, each given as (model, revision)."""
    if token[0] is None:
        raise ValueError("give token_model, the folder or hub name of a BLIP, or random_weights_seed")
    if caption == (None, caption[1]) and caption[1] is not None:
        raise ValueError("caption_revision belongs to a hub name: give caption_model too")
    parts = find_blip("BlipForImageTextRetrieval", *token, local_files_only)
    if caption[0] is None:
        return parts, None
    writer = find_blip("BlipForConditionalGeneration", *caption, local_files_only)
    if writer.image_size != parts.image_size:
        raise ValueError(
            f"{writer.source} sees photos at {writer.image_size} pixels and {parts.source} at {parts.image_size}; "
            "take two models of one size"
        )
    return parts, writer

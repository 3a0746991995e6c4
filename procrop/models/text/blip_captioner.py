"""BLIP's writer of captions."""

import torch
from torch import Tensor

from procrop.io.manifest import sha256_json
from procrop.retrieval.backbones.base import weights_sha256

from .pretrained_blip import BlipParts
from .tokenizers import tokenizer_sha256

# raise when preprocessing or decoding changes, so that older captions are told from newer ones
_VERSION = 1


class BlipCaptioner:
    """Captions by BLIP's image-grounded decoder, which continues the prompt; the likeliest words, nothing drawn.

    Args:
        parts: A ``BlipForConditionalGeneration``.
        prompt: Beginning of the caption, which is not part of the answer; may be empty.
        num_beams: Width of the beam search; 1 takes the likeliest word each time.
        max_new_tokens: Longest answer, in tokens.
        device, dtype: Where and in what the network computes.

    Raises:
        ValueError: A parameter out of range, or weights that do not fit.

    Source: Li et al. 2022, and the decoding of its published code.
    """

    def __init__(
        self,
        parts: BlipParts,
        prompt: str,
        num_beams: int,
        max_new_tokens: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        check_decoding(parts, prompt, num_beams, max_new_tokens)
        network = parts.build()
        self._tokenizer, self._start, self.device = parts.tokenizer, parts.start_ids["[DEC]"], device
        self._prompt = _prompt_ids(parts, prompt)
        self._decoding = {
            "num_beams": num_beams,
            "max_new_tokens": max_new_tokens,
            "min_new_tokens": 1,
            "do_sample": False,
            "length_penalty": 1.0,
            "repetition_penalty": 1.0,
            "early_stopping": False,
        }
        self.fingerprint = sha256_json(
            {
                "type": type(self).__name__,
                "architecture": architecture(parts),
                "weights": weights_sha256(network.state_dict()),
                "tokenizer": tokenizer_sha256(parts.tokenizer),
                "prompt": self._prompt,
                "decoding": self._decoding,
                "version": _VERSION,
            }
        )
        network.text_decoder.generation_config = self._generation_config(parts)
        self.network = network.requires_grad_(False).eval().to(device, dtype)

    def __call__(self, pixels: Tensor) -> list[str]:
        """Captions of photos (b, 3, S, S), standardised, of the network's dtype."""
        # the last of the ids is taken for the end of a sentence and cut off
        ids = torch.tensor([[self._start, *self._prompt, self._tokenizer.sep_token_id]], device=self.device)
        ids = ids.repeat(len(pixels), 1)
        with torch.inference_mode():
            found = self.network.generate(
                pixel_values=pixels, input_ids=ids, attention_mask=torch.ones_like(ids)
            )
        answers = found[:, 1 + len(self._prompt) :].tolist()
        texts = self._tokenizer.batch_decode(answers, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]

    def _generation_config(self, parts: BlipParts) -> object:
        """All that decoding depends on, whatever the model's own files say of it."""
        from transformers import GenerationConfig

        end, size = self._tokenizer.sep_token_id, parts.config.text_config.vocab_size
        # an answer of special tokens alone would be empty; ids without a word have no spelling
        unwanted = {*self._tokenizer.all_special_ids, *range(len(self._tokenizer), size)} - {end}
        return GenerationConfig(
            **self._decoding,
            suppress_tokens=sorted(unwanted),
            bos_token_id=self._start,
            eos_token_id=end,
            pad_token_id=self._tokenizer.pad_token_id,
        )


def check_decoding(parts: BlipParts, prompt: str, num_beams: int, max_new_tokens: int) -> None:
    """Raise ValueError unless captions can be written with these settings."""
    if min(num_beams, max_new_tokens) < 1:
        raise ValueError(
            f"num_beams and max_new_tokens must be at least 1, not {num_beams} and {max_new_tokens}"
        )
    room = parts.config.text_config.max_position_embeddings
    needed = 1 + len(_prompt_ids(parts, prompt)) + max_new_tokens
    if needed > room:
        raise ValueError(
            f"the prompt and max_new_tokens={max_new_tokens} need {needed} places, and {parts.source} has {room}; "
            "shorten one of them"
        )


def architecture(parts: BlipParts) -> dict:
    """What of a BLIP's sizes changes its results beyond the shapes of its weights."""
    text, vision = parts.config.text_config, parts.config.vision_config
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "hidden_act", "layer_norm_eps")
    return {
        "text": {name: getattr(text, name) for name in names},
        "vision": {name: getattr(vision, name) for name in (*names, "image_size", "patch_size")},
    }


def _prompt_ids(parts: BlipParts, prompt: str) -> list[int]:
    return parts.tokenizer(prompt, add_special_tokens=False).input_ids

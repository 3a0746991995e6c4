"""Prompts of any length for a CLIP text encoder, which reads 77 tokens at a time."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTokenizer


def embed_prompts(
    tokenizer: "CLIPTokenizer", encoder: "CLIPTextModel", prompt: str, negative: str
) -> tuple[Tensor, Tensor]:
    """Encode a prompt and a negative prompt, cut into pieces where they are long.

    A description of what lies within and beyond a photo is often longer than what CLIP reads at once, and the part on
    what lies beyond comes last. So the tokens are cut into pieces, each gets its own start and end, and the encoded
    pieces are put in a row, as is customary with Stable Diffusion. The shorter of the two is filled up with empty
    pieces.

    Args:
        tokenizer: CLIP's.
        encoder: CLIP's text encoder, on its device.
        prompt: What is to be seen.
        negative: What is not.

    Returns:
        Two tensors (1, 77 n, d) of the encoder's dtype and device; 77 is the encoder's own length.
    """
    length = min(tokenizer.model_max_length, encoder.config.max_position_embeddings)
    pieces = [_pieces(tokenizer, text, length) for text in (prompt, negative)]
    count = max(len(p) for p in pieces)
    empty = _pieces(tokenizer, "", length)
    rows = [p + empty * (count - len(p)) for p in pieces]
    with torch.inference_mode():
        ids = torch.tensor([piece for row in rows for piece in row], device=encoder.device)
        hidden = encoder(ids)[0]
    hidden = hidden.reshape(2, 1, count * length, -1)
    return hidden[0], hidden[1]


def _pieces(tokenizer: "CLIPTokenizer", text: str, length: int) -> list[list[int]]:
    """Token ids in pieces of ``length``, each with start, end and padding; an empty text is one piece."""
    ids = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    room = length - 2
    pieces = [ids[i : i + room] for i in range(0, max(len(ids), 1), room)]
    start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else end
    return [[start, *piece, end, *[pad] * (room - len(piece))] for piece in pieces]

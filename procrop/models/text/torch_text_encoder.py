"""What the text encoders that run a torch network share: squares of photos, padded captions, batches."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from procrop.networks import pixel_statistics
from procrop.networks.placement import checked_placement
from procrop.retrieval.backbones.pixels import resize_bicubic

from .base import TextEncoder, checked_captions


class TorchTextEncoder(TextEncoder):
    """Encoder around a frozen network; a subclass says how to `embed` a batch of photos and captions.

    A photo is seen whole: squashed to the network's square, as BLIP's own preprocessing does, without padding.

    Args:
        network: The network; it is frozen, put into evaluation mode and moved.
        tokenizer: A tokenizer of transformers that pads on the right.
        image_size: Side of the square in pixels.
        max_caption_tokens: Tokens of a caption that count, the two at its ends included; the rest is cut off.
        batch_size: Photos per forward pass; changes the speed only.
        device: Torch device; changes the speed only.
        dtype: ``"float32"``, ``"float16"`` or ``"bfloat16"``: what the network computes in. Tokens differ by rounding
            only, so it is not part of the fingerprint.

    Raises:
        ValueError: A parameter out of range, or a device that is not there.
    """

    def __init__(
        self,
        network: nn.Module,
        tokenizer: object,
        image_size: int,
        max_caption_tokens: int,
        batch_size: int,
        device: str,
        dtype: str,
    ) -> None:
        self.batch_size, self.device, self.dtype = checked_placement(batch_size, device, dtype)
        self.network = network.requires_grad_(False).eval().to(self.device, self.dtype)
        self.tokenizer, self.image_size = tokenizer, image_size
        self.max_caption_tokens = int(max_caption_tokens)
        tokenizer.padding_side = tokenizer.truncation_side = "right"

    @property
    def on_accelerator(self) -> bool:
        return self.device.type != "cpu"

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Squash a photo (H, W, 3) uint8 RGB to the network's square."""
        return resize_bicubic(image, (self.image_size, self.image_size))

    @abstractmethod
    def embed(self, pixels: Tensor, input_ids: Tensor, attention_mask: Tensor) -> list[Tensor]:
        """Tokens of a batch.

        Args:
            pixels: (b, 3, S, S) of the network's dtype, standardised.
            input_ids: (b, n) int64 tokens of the captions, padded on the right.
            attention_mask: (b, n) int64, 1 for tokens and 0 for padding.

        Returns:
            One (m', d_t) tensor a photo, any float type.
        """

    def encode(self, images: Sequence[np.ndarray], captions: Sequence[str]) -> list[np.ndarray]:
        captions, found = checked_captions(images, captions), []
        for start, pixels in self._batches(images):
            texts = self.tokenizer(
                captions[start : start + len(pixels)],
                padding=True,
                truncation=True,
                max_length=self.max_caption_tokens,
                return_tensors="pt",
            ).to(self.device)
            with torch.inference_mode():
                tokens = self.embed(pixels, texts["input_ids"], texts["attention_mask"])
            found += [_stored(values) for values in tokens]
        return found

    def _batches(self, images: Sequence[np.ndarray]) -> Iterator[tuple[int, Tensor]]:
        """(number of the first photo, pixels (b, 3, S, S)) of each batch."""
        for start in range(0, len(images), self.batch_size):
            squares = [self.prepare(image) for image in images[start : start + self.batch_size]]
            stacked = torch.from_numpy(np.stack(squares)).to(self.device).permute(0, 3, 1, 2)
            yield start, pixel_statistics.standardise(stacked, *pixel_statistics.CLIP).to(self.dtype)


def _stored(tokens: Tensor) -> np.ndarray:
    with np.errstate(over="ignore"):  # who asked for the tokens says which photo it was
        return tokens.float().cpu().numpy().astype(np.float16)

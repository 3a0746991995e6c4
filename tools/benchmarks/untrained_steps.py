"""SAMMasks and ControlNetOutpainter with random weights, so that their cost can be measured without any download."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from procrop.generation.settings import GenerationSettings


def settings(folder: Path, width: int, device: str, photos: int) -> "GenerationSettings":
    """A generation on drawn photos with the two models.

    Args:
        folder: Takes photos and weights.
        width: Channels of the UNet's first level; its shape is otherwise that of Stable Diffusion 1.5.
        device: Of both models.
        photos: How many to draw, 384 x 256.
    """
    from procrop.generation.settings import GenerationSettings

    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for number in range(photos):
        small = Image.fromarray(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8))
        small.resize((384, 256), Image.Resampling.BICUBIC).save(folder / f"photos/{number}.png")
    save_diffusion(folder, width)
    sam = dict(model_type="vit_b", random_weights_seed=0, points_per_side=4, device=device)
    paint = dict(model=str(folder / "sd"), controlnet=str(folder / "controlnet"), steps=2, device=device)
    steps = [
        dict(type="RuleAnalyzer"),
        dict(type="SAMMasks", pred_iou_thresh=0.0, stability_score_thresh=0.0, **sam),
        dict(type="RandomCanvas", sides=(320, 448)),
        dict(type="ControlNetOutpainter", **paint),
    ]
    return GenerationSettings(
        dict(type="FolderSource", root=str(folder / "photos")), steps, expansions=1, quality=95
    )


def save_diffusion(folder: Path, width: int) -> None:
    """Write ``sd`` and ``controlnet`` as diffusers saves them, of the shape of Stable Diffusion 1.5 for inpainting."""
    import torch
    from diffusers import (
        AutoencoderKL,
        ControlNetModel,
        DDIMScheduler,
        StableDiffusionControlNetInpaintPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    text_width = 768 * width // 320 // 12 * 12 or 12
    blocks = dict(
        block_out_channels=(width, 2 * width, 4 * width, 4 * width),
        cross_attention_dim=text_width,
        attention_head_dim=8,
        norm_num_groups=32 if width % 32 == 0 else 8,
    )
    unet = UNet2DConditionModel(in_channels=9, out_channels=4, **blocks)
    controlnet = ControlNetModel(in_channels=4, **blocks)
    deep = max(8, 128 * width // 320 // 8 * 8)
    vae = AutoencoderKL(
        block_out_channels=(deep, 2 * deep, 4 * deep, 4 * deep),
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    tokenizer = _byte_tokenizer()
    sizes = dict(hidden_size=text_width, intermediate_size=4 * text_width, num_hidden_layers=12)
    ends = dict(bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id)
    text = CLIPTextModel(
        CLIPTextConfig(vocab_size=len(tokenizer), num_attention_heads=12, **sizes, **ends, pad_token_id=0)
    )
    scheduler = DDIMScheduler(clip_sample=False, steps_offset=1, set_alpha_to_one=False)
    pipeline = StableDiffusionControlNetInpaintPipeline(
        vae, text, tokenizer, unet, controlnet, scheduler, None, None, requires_safety_checker=False
    )
    pipeline.save_pretrained(folder / "sd")
    controlnet.save_pretrained(folder / "controlnet")


def _byte_tokenizer():  # noqa: ANN202 (a class of transformers, imported here)
    """A CLIP tokenizer without merges: every byte a token."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    alphabet = sorted(ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{byte}</w>" for byte in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77)

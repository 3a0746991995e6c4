"""Tiny Stable Diffusion models with random weights, saved as diffusers saves them."""

from pathlib import Path

import torch


def byte_tokenizer(folder):
    """A CLIP tokenizer without merges: every byte a token."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    alphabet = sorted(ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{byte}</w>" for byte in alphabet), "<|startoftext|>", "<|endoftext|>"]
    vocab = {token: i for i, token in enumerate(tokens)}
    tokenizer = CLIPTokenizer(vocab=vocab, merges=[], model_max_length=77)
    tokenizer.save_pretrained(folder)
    return tokenizer


def save_models(root: Path, unet_channels=9, seed=0):
    """Write ``sd`` and ``controlnet`` under a folder; returns their paths.

    The ControlNet's output layers, zero when made, are
    drawn like the rest, or it would have no effect.
    """
    from diffusers import (
        AutoencoderKL,
        ControlNetModel,
        DDIMScheduler,
        StableDiffusionControlNetInpaintPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(seed)
    blocks = dict(
        block_out_channels=(8, 16),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    )
    up = ("UpBlock2D", "CrossAttnUpBlock2D")
    unet = UNet2DConditionModel(in_channels=unet_channels, out_channels=4, up_block_types=up, **blocks)
    controlnet = ControlNetModel(in_channels=4, conditioning_embedding_out_channels=(4, 4, 8, 8), **blocks)
    with torch.no_grad():
        for layer in [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]:
            layer.weight.normal_(0, 0.5)
        controlnet.controlnet_cond_embedding.conv_out.weight.normal_(0, 0.5)
    vae = AutoencoderKL(
        block_out_channels=(4, 8, 8, 8),  # a latent cell is 8 pixels, as in Stable Diffusion
        norm_num_groups=4,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    tokenizer = byte_tokenizer(root / "tokenizer")
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            initializer_factor=5.0,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.eos_token_id,
        )
    )
    scheduler = DDIMScheduler(clip_sample=False, steps_offset=1, set_alpha_to_one=False)
    pipeline = StableDiffusionControlNetInpaintPipeline(
        vae, text, tokenizer, unet, controlnet, scheduler, None, None, requires_safety_checker=False
    )
    pipeline.save_pretrained(root / "sd")
    controlnet.save_pretrained(root / "controlnet")
    return root / "sd", root / "controlnet"

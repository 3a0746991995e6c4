"""Small SAMs and files of them, for the tests of both SAM encoders."""

import pytest
import torch

from procrop.networks.sam import build_sam_encoder, sam_arch
from procrop.networks.sam_weights import random_encoder_state, to_hf
from procrop.retrieval.backbones import HFSAMRetrieval, SAMRetrieval

# 16 x 16 cells, so windows of 14 are padded as at SAM's 64 x 64
TINY = dict(embed_dim=32, depth=2, num_heads=2, global_attn_indexes=(1,), image_size=256)
BOTH = pytest.mark.parametrize("encoder_type", [SAMRetrieval, HFSAMRetrieval])


def encoder_state(arch=TINY, model_type="vit_b", seed=0, scale=5):
    """Random weights in the official layout, by default large enough that attention and positions matter."""
    like = build_sam_encoder(sam_arch(model_type, arch)).state_dict()
    return {k: v * (scale if v.ndim > 1 else 1) for k, v in random_encoder_state(like, seed).items()}


def whole_sam(state):
    """What an official file holds: the encoder among the other parts, made by the package."""
    from segment_anything.modeling import MaskDecoder, TwoWayTransformer

    decoder = MaskDecoder(
        transformer_dim=32, transformer=TwoWayTransformer(depth=1, embedding_dim=32, num_heads=2, mlp_dim=32)
    )
    others = {f"mask_decoder.{k}": v for k, v in decoder.state_dict().items()}
    others["prompt_encoder.no_mask_embed.weight"] = torch.zeros(1, 32)
    return {**{f"image_encoder.{k}": v for k, v in state.items()}, **others}, len(others)


def save_official(path):
    torch.save(whole_sam(encoder_state())[0], path)
    return path


def save_hf_folder(folder):
    """A SamModel as transformers saves it, with the weights of `encoder_state`."""
    from transformers import SamConfig, SamModel

    vision = dict(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, global_attn_indexes=[1], image_size=256
    )
    model = SamModel(SamConfig(vision_config=vision))
    model.vision_encoder.load_state_dict(to_hf(encoder_state()))
    model.save_pretrained(folder)
    return folder

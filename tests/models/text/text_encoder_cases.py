"""Real architectures of tiny width, photos, and folders of weights as transformers writes them."""

import torch

from procrop.models.text.pretrained_blip import random_blip
from procrop.models.text.tokenizers import byte_clip_tokenizer

MATCHER, WRITER = "BlipForImageTextRetrieval", "BlipForConditionalGeneration"
WORDS = ("a", "boat", "composed", "dog", "of", "photo", "tree")
SIDE, WIDTH = 32, 32
_LAYERS = dict(intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
# weights large enough that words, their places and the photo all show in the result
BLIP = dict(
    text_config=dict(**_LAYERS, hidden_size=WIDTH, max_position_embeddings=48, initializer_range=0.3),
    vision_config=dict(**_LAYERS, hidden_size=24, image_size=SIDE, patch_size=8, initializer_range=0.3),
)
CLIP = dict(
    projection_dim=16,
    text_config=dict(**_LAYERS, hidden_size=WIDTH),
    vision_config=dict(**_LAYERS, hidden_size=24, image_size=SIDE, patch_size=8),
)
TINY_BLIP = dict(type="BLIPTextEncoder", random_weights_seed=0, config=BLIP, vocabulary=list(WORDS))
TINY_CLIP = dict(type="CLIPTextEncoder", random_weights_seed=0, config=CLIP, token_grid=(2, 2))


def photos():
    import skimage.data

    return [skimage.data.chelsea(), skimage.data.coffee(), skimage.data.astronaut()]


def blip_network(head, seed=0):
    """transformers' own network with the weights that an encoder of that seed has."""
    return random_blip(head, BLIP, seed, WORDS).build().eval()


def save_blip(folder, head, seed=0):
    """The folder of a published BLIP."""
    parts = random_blip(head, BLIP, seed, WORDS)
    parts.build().save_pretrained(folder)
    parts.tokenizer.save_pretrained(folder)
    return str(folder)


def save_clip(folder, seed=0):
    from transformers import CLIPConfig, CLIPModel

    tokenizer = byte_clip_tokenizer()
    ids = dict(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    CLIPModel(CLIPConfig(**{**CLIP, "text_config": {**CLIP["text_config"], **ids}})).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def exact(encoder, images, captions, pad_to=None):
    """Tokens as `encode` finds them, before they are rounded to float16; padded to ``pad_to`` tokens if given."""
    texts = encoder.tokenizer(
        captions,
        padding="max_length" if pad_to else True,
        truncation=True,
        max_length=pad_to or encoder.max_caption_tokens,
        return_tensors="pt",
    )
    pixels = torch.cat([pixels for _, pixels in encoder._batches(images)])
    with torch.inference_mode():
        return encoder.embed(pixels, texts["input_ids"], texts["attention_mask"])

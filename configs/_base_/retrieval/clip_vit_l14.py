# As clip_vit_b32.py with CLIP ViT-L/14: keys of 768 numbers, tokens of 16x16 patches pooled to 8x8, (64, 1024).
#   hf download openai/clip-vit-large-patch14 --revision 32bd64288804d66eefd0ccbe215aa642df71cc41
retrieval = dict(
    backbone=dict(
        type="CLIPRetrieval",
        model="openai/clip-vit-large-patch14",
        revision="32bd64288804d66eefd0ccbe215aa642df71cc41",
        resize="squash",
        token_grid=(8, 8),
    ),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)

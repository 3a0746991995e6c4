# CLIP ViT-B/32: neighbours say the same in a caption. Keys: 512 numbers, compared by cosine. Tokens: its own 7x7
# patches, (49, 768). The weights are fetched once, by
#   hf download openai/clip-vit-base-patch32 --revision 3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268
# or name a folder with them in `model`. resize="squash" sees the whole photo; CLIP's own "centre_crop" does not.
retrieval = dict(
    backbone=dict(
        type="CLIPRetrieval",
        model="openai/clip-vit-base-patch32",
        revision="3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
        resize="squash",
        token_grid=(7, 7),
    ),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)

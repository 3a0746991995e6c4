# CLIP ViT-B/32 instead of BLIP: words and 4x4 cells of the photo in CLIP's joint space, (m', 512), m' <= 92. It writes
# no captions: they come from a file. The weights (605 MB) are those of _base_/retrieval/clip_vit_b32.py, fetched by
#   hf download openai/clip-vit-base-patch32 --revision 3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268
# or name a folder with them in `model`, and leave out the revision.
text_encoder = dict(
    type="CLIPTextEncoder",
    model="openai/clip-vit-base-patch32",
    revision="3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
    token_grid=(4, 4),
)

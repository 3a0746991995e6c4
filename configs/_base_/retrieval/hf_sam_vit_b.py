# As sam_vit_b.py on transformers: a folder with config.json and model.safetensors of
#   https://huggingface.co/facebook/sam-vit-base
# or, with pretrained="facebook/sam-vit-base" and revision="<commit>", the local cache of the hub. The official file
# works too: checkpoint="weights/sam_vit_b_01ec64.pth" instead of pretrained. A gallery made by sam_vit_b.py with the
# same weights has the same fingerprint and can be used with this encoder.
retrieval = dict(
    backbone=dict(
        type="HFSAMRetrieval",
        model_type="vit_b",
        pretrained="weights/sam-vit-base",
        token_grid=(8, 8),
        key="mean",
    ),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)

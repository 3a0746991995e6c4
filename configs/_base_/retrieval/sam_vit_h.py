# As sam_vit_b.py with SAM ViT-H. Weights (2.4 GB):
#   https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth
retrieval = dict(
    backbone=dict(
        type="SAMRetrieval",
        model_type="vit_h",
        checkpoint="weights/sam_vit_h_4b8939.pth",
        token_grid=(8, 8),
        key="mean",
    ),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)

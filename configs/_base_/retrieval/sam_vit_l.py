# As sam_vit_b.py with SAM ViT-L. Weights (1.2 GB):
#   https://dl.fbaipublicfiles.com/segment_anything/sam_vit_l_0b3195.pth
retrieval = dict(
    backbone=dict(
        type="SAMRetrieval",
        model_type="vit_l",
        checkpoint="weights/sam_vit_l_0b3195.pth",
        token_grid=(8, 8),
        key="mean",
    ),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)

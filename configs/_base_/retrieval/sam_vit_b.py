# The paper's encoder of gallery and queries: SAM ViT-B. Keys: the mean of its map over the photo, by cosine. Tokens:
# 8x8 cells, m = 64 of width 256. Seconds per photo on a CPU. Weights (358 MB):
#   https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth
retrieval = dict(
    backbone=dict(
        type="SAMRetrieval",
        model_type="vit_b",
        checkpoint="weights/sam_vit_b_01ec64.pth",
        token_grid=(8, 8),
        key="mean",
    ),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)

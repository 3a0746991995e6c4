# LPIPS with AlexNet: neighbours look alike place by place. Squared L2 distances between keys are LPIPS at 64 pixels,
# the size its weights were learned at. Keys: 31,872 numbers, 7.0 GB for 55,000 photos and too long for Elasticsearch;
# image_size=32 with key_transform=dict(type="PCA", dim=256) is the short way. Tokens: EfficientNet-lite's. Needs
# `pip install lpips` (its learned weights) and torchvision's AlexNet where torchvision keeps its downloads, or its
# place in `checkpoint`:
#   https://download.pytorch.org/models/alexnet-owt-7be5be79.pth
retrieval = dict(
    backbone=dict(
        type="LPIPSRetrieval",
        net="alex",
        image_size=64,
    ),
    token_backbone=dict(type="EfficientNetLiteRetrieval", image_size=256, token_grid=(8, 8), token_stride=16),
    key_transform=None,
    index=dict(type="FaissIndex", factory="Flat"),
)

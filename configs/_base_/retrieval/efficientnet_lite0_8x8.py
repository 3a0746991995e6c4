# As efficientnet_lite0.py with a finer grid: 8x8 cells, m = 64 tokens of width 112, as many as the paper keeps of SAM.
retrieval = dict(
    backbone=dict(
        type="EfficientNetLiteRetrieval",
        variant="lite0",
        image_size=256,
        token_grid=(8, 8),
        token_stride=16,
        key="pool",
    ),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)

# Encoder of gallery and queries: ImageNet EfficientNet-lite0, no download, a few hundredths of a second per photo on
# a CPU. Keys: the pooled 1280-channel head, compared by cosine. Tokens: 4x4 cells of the stride-16 map, (16, 112).
retrieval = dict(
    backbone=dict(
        type="EfficientNetLiteRetrieval",
        variant="lite0",
        image_size=256,
        token_grid=(4, 4),
        token_stride=16,
        key="pool",
    ),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)

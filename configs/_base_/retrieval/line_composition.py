# Lines by place, direction and length: nothing to download, about two hundredths of a second per photo on one core. Its
# keys (1537 values, compared by cosine) find the references; their tokens are EfficientNet-lite's, (64, 112).
retrieval = dict(
    backbone=dict(
        type="LineCompositionRetrieval",
        image_size=256,
        grid=(8, 8),
        orientations=12,
        length_bins=2,
    ),
    token_backbone=dict(type="EfficientNetLiteRetrieval", image_size=256, token_grid=(8, 8), token_stride=16),
    key_transform=None,
    index=dict(type="FaissIndex", factory="Flat"),
)

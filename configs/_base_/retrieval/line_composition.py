# Lines by place, direction and length: nothing to download, about a hundredth of a second per photo on one core. Keys
# only (1537 values, compared by cosine): a model that fuses references needs an encoder with tokens.
retrieval = dict(
    backbone=dict(
        type="LineCompositionRetrieval",
        image_size=256,
        grid=(8, 8),
        orientations=12,
        length_bins=2,
    ),
    key_transform=None,
    index=dict(type="FaissIndex", factory="Flat"),
)

# A small grid-anchor cropper for a CPU: frozen EfficientNet-lite0 at stride 16, d = 128, references by cross-attention.
_base_ = ["procrop_lite0.py"]
model = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    encoder=None,
    bbox_head=dict(
        _delete_=True,
        type="GridAnchorHead",
        embed_dims=128,
        reduced_channels=8,
        pool_size=9,
        hidden_channels=256,
        memory_attention=dict(num_heads=8, dropout=0.0),
    ),
)

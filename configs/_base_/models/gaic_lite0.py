# A small grid-anchor cropper for a CPU: frozen EfficientNet-lite0 at stride 16, d = 128, references by cross-attention.
model = dict(
    type="ProCrop",
    data_preprocessor=dict(
        type="DetDataPreprocessor", mean=[127.0] * 3, std=[128.0] * 3, pad_size_divisor=32
    ),
    backbone=dict(type="EfficientNetLiteBackbone", variant="lite0", out_strides=(16,), frozen=True),
    neck=dict(
        type="ChannelMapper",
        in_channels=[112],
        kernel_size=1,
        out_channels=128,
        act_cfg=None,
        norm_cfg=None,
        bias=True,
        num_outs=1,
    ),
    encoder=None,
    positional_encoding=dict(num_feats=64, normalize=True),
    context_encoders=dict(
        # in_channels and token_grid are those of the gallery
        references=dict(type="ReferenceEncoder", embed_dims=128)
    ),
    fusion=dict(type="FusionNeck", embed_dims=128, contexts=("references",), num_heads=8, dropout=0.0),
    bbox_head=dict(
        type="GridAnchorHead",
        embed_dims=128,
        reduced_channels=8,
        pool_size=9,
        hidden_channels=256,
        memory_attention=dict(num_heads=8, dropout=0.0),
    ),
)

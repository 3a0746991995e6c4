# A small ProCrop for a CPU: frozen EfficientNet-lite0 at stride 16, d = 128, 2 + 3 layers, N = 24 anchors.
model = dict(
    type="ProCrop",
    data_preprocessor=dict(type="DetDataPreprocessor", mean=[127.0] * 3, std=[128.0] * 3, pad_size_divisor=1),
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
    positional_encoding=dict(num_feats=64, normalize=True),
    encoder=dict(
        num_layers=2,
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=128, num_heads=8, dropout=0.0, batch_first=True),
            ffn_cfg=dict(embed_dims=128, feedforward_channels=512, ffn_drop=0.0),
        ),
    ),
    context_encoders=dict(
        # in_channels and token_grid are those of the gallery
        references=dict(type="ReferenceEncoder", embed_dims=128)
    ),
    fusion=dict(type="FusionNeck", embed_dims=128, contexts=("references",), num_heads=8, dropout=0.0),
    bbox_head=dict(
        type="CropDETRHead",
        num_queries=24,
        embed_dims=128,
        decoder=dict(
            num_layers=3,
            return_intermediate=True,
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=128, num_heads=8, attn_drop=0.0, cross_attn=False),
                cross_attn_cfg=dict(embed_dims=128, num_heads=8, attn_drop=0.0, cross_attn=True),
                ffn_cfg=dict(embed_dims=128, feedforward_channels=512, ffn_drop=0.0),
            ),
        ),
        soft_label=dict(type="QualitySoftLabel", iou_thr=0.85, low=2.0, high=3.5, bound=0.5),
    ),
)

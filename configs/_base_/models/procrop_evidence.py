# A ProCrop that learns from little: it sees two maps of where the subject is, made by a frozen ImageNet classifier
# (SubjectEvidenceBackbone), not features; two by two cells of them are a token. d = 64, 2 + 3 layers, N = 24 anchors.
# Photos need sides that are multiples of 32.
_base_ = ["procrop_lite0.py"]
model = dict(
    backbone=dict(_delete_=True, type="SubjectEvidenceBackbone", variant="lite0", fold=2),
    neck=dict(in_channels=[8], out_channels=64),
    positional_encoding=dict(num_feats=32),
    encoder=dict(
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=64),
            ffn_cfg=dict(embed_dims=64, feedforward_channels=256),
        )
    ),
    context_encoders=dict(references=dict(embed_dims=64)),
    fusion=dict(embed_dims=64),
    bbox_head=dict(
        embed_dims=64,
        decoder=dict(
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=64),
                cross_attn_cfg=dict(embed_dims=64),
                ffn_cfg=dict(embed_dims=64, feedforward_channels=256),
            )
        ),
        soft_label=dict(bound=0.0),
        matched_label=dict(type="MOSLabel"),
    ),
)

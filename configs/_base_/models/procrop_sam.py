# procrop_r50.py on a frozen SAM ViT-B (stride 16, 256 channels): f_I of the paper as the query's features. Weights: see
# _base_/retrieval/sam_vit_b.py.
_base_ = ["procrop_r50.py"]
model = dict(
    data_preprocessor=dict(pad_size_divisor=16),
    backbone=dict(
        _delete_=True,
        type="SAMBackbone",
        model_type="vit_b",
        checkpoint="weights/sam_vit_b_01ec64.pth",
        frozen=True,
    ),
    neck=dict(in_channels=[256]),
)

# GAIC's grid-anchor cropper (Zeng et al. 2019) on ImageNet's ResNet-50, as the other baselines here, in place of their
# VGG16, MobileNetV2 or ShuffleNetV2. Its last two stages (GAIC: three) are fused at stride 16, so sides must be
# multiples of 32. 8 channels, RoI and RoD of 9x9; what GAIC has not: references, by cross-attention from each crop.
_base_ = ["procrop_r50.py"]
model = dict(
    data_preprocessor=dict(
        # GAIC divides by 256, then takes ImageNet's mean and standard deviation
        mean=[124.16, 116.736, 103.936],
        std=[58.624, 57.344, 57.6],
        pad_size_divisor=32,
    ),
    backbone=dict(out_indices=(2, 3), frozen_stages=-1),
    neck=dict(_delete_=True, type="HRFPN", in_channels=[1024, 2048], out_channels=256, num_outs=1),
    encoder=None,
    bbox_head=dict(
        _delete_=True,
        type="GridAnchorHead",
        embed_dims=256,
        reduced_channels=8,
        pool_size=9,
        hidden_channels=512,
        memory_attention=dict(num_heads=8, dropout=0.1),
        mos_mean=2.95,
        mos_std=0.8,
        loss_mos=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
    ),
)

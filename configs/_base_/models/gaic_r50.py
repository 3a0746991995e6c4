# GAIC's grid-anchor cropper (Zeng et al. 2019) on ImageNet's ResNet-50, as the other baselines here, in place of their
# VGG16, MobileNetV2 or ShuffleNetV2. Its last two stages (GAIC: three) are fused at stride 16, so sides must be
# multiples of 32. 8 channels, RoI and RoD of 9x9; what GAIC has not: references, by cross-attention from each crop.
model = dict(
    type="ProCrop",
    data_preprocessor=dict(
        type="DetDataPreprocessor",  # photos arrive as RGB
        # GAIC divides by 256, then takes ImageNet's mean and standard deviation
        mean=[124.16, 116.736, 103.936],
        std=[58.624, 57.344, 57.6],
        pad_size_divisor=32,
    ),
    backbone=dict(
        type="ResNet",
        depth=50,
        out_indices=(2, 3),
        frozen_stages=-1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="pytorch",
        init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet50"),
    ),
    neck=dict(type="HRFPN", in_channels=[1024, 2048], out_channels=256, num_outs=1),
    encoder=None,
    positional_encoding=dict(num_feats=128, normalize=True),
    context_encoders=dict(
        # in_channels and token_grid are those of the gallery
        references=dict(type="ReferenceEncoder", embed_dims=256)
    ),
    fusion=dict(type="FusionNeck", embed_dims=256, contexts=("references",), num_heads=8, dropout=0.1),
    bbox_head=dict(
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

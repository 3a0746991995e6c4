# ProCrop on ResNet-50 (stride 32; procrop_r50_dc5.py: stride 16), Conditional DETR widths, N = 90 anchors.
model = dict(
    type="ProCrop",
    data_preprocessor=dict(
        type="DetDataPreprocessor",  # photos arrive as RGB
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        pad_size_divisor=1,
    ),
    backbone=dict(
        type="ResNet",
        depth=50,
        out_indices=(3,),
        frozen_stages=1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="pytorch",
        init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet50"),
    ),
    neck=dict(
        type="ChannelMapper",
        in_channels=[2048],
        kernel_size=1,
        out_channels=256,
        act_cfg=None,
        norm_cfg=None,
        bias=True,
        num_outs=1,
    ),
    positional_encoding=dict(num_feats=128, normalize=True),
    encoder=dict(
        num_layers=6,
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=256, num_heads=8, dropout=0.1, batch_first=True),
            ffn_cfg=dict(embed_dims=256, feedforward_channels=2048, ffn_drop=0.1),
        ),
    ),
    context_encoders=dict(
        # in_channels and token_grid are those of the gallery
        references=dict(type="ReferenceEncoder", embed_dims=256)
    ),
    fusion=dict(type="FusionNeck", embed_dims=256, contexts=("references",), num_heads=8, dropout=0.1),
    bbox_head=dict(
        type="CropDETRHead",
        num_queries=90,
        embed_dims=256,
        decoder=dict(
            num_layers=6,
            return_intermediate=True,
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=256, num_heads=8, attn_drop=0.1, cross_attn=False),
                cross_attn_cfg=dict(embed_dims=256, num_heads=8, attn_drop=0.1, cross_attn=True),
                ffn_cfg=dict(embed_dims=256, feedforward_channels=2048, ffn_drop=0.1),
            ),
        ),
        loss_cls=dict(type="FocalLoss", use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=2.0),
        loss_bbox=dict(type="L1Loss", loss_weight=5.0),
        loss_iou=dict(type="GIoULoss", loss_weight=2.0),
        assigner=dict(
            type="HungarianAssigner",
            match_costs=[
                dict(type="FocalLossCost", weight=2.0),
                dict(type="BBoxL1Cost", weight=5.0, box_format="xywh"),
                dict(type="IoUCost", iou_mode="giou", weight=2.0),
            ],
        ),
        # quality guidance of Jia et al.: low MOS 2.0 -> 0, 3.5 and above -> 0.5
        soft_label=dict(type="QualitySoftLabel", iou_thr=0.85, low=2.0, high=3.5, bound=0.5),
    ),
)

# AdamW, 500 epochs, learning rate x 0.1 at epoch 400; gradients are clipped as in the DETR family.
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = [dict(type="MultiStepLR", by_epoch=True, milestones=[400], gamma=0.1)]

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=500, val_interval=10)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

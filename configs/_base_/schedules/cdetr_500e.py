# The paper gives AdamW, 1e-4 (backbone 1e-5), weight decay 1e-4 and 500 epochs. What it leaves open is our reading:
# gradients clipped at 0.1 as in the DETR family, learning rate x 0.1 at epoch 400, figures of the last epoch (the best
# on the validation photos is kept beside it). Jia et al. trained 50 to 70 epochs from a COCO checkpoint.
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

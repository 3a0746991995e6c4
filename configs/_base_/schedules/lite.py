# 60 epochs in one cycle: up to 7e-4 within the first tenth, then down along a cosine to 0.
epochs = 60
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=7e-4, weight_decay=1e-3),
    clip_grad=dict(max_norm=1.0, norm_type=2),
)
# two schedulers, since the state of mmengine's OneCycleLR is more than weights that can be read safely
param_scheduler = [
    dict(type="LinearLR", start_factor=0.04, begin=0, end=0.1 * epochs, convert_to_iter_based=True),
    dict(type="CosineAnnealingLR", begin=0.1 * epochs, end=epochs, convert_to_iter_based=True),
]

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=epochs, val_interval=10)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

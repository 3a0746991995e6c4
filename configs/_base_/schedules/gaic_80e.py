# GAIC's own: Adam at a constant 1e-4 for all parameters, 80 epochs.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4))
param_scheduler = []

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=80, val_interval=4)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

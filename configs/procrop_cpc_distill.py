# procrop_cpc.py with the self-distillation of Jia et al. 2022 for sparse annotations, and their schedule: 50 epochs,
# learning rate x 0.1 at epoch 40, a teacher that keeps half of itself at each iteration from epoch 45 on.
_base_ = ["procrop_cpc.py"]
custom_hooks = [dict(type="SelfDistillationHook", begin_epoch=45, beta=0.5, weight=0.5)]
train_cfg = dict(max_epochs=50, val_interval=5)
param_scheduler = [dict(type="MultiStepLR", by_epoch=True, milestones=[40], gamma=0.1)]

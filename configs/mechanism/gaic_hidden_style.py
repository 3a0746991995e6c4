# Does retrieval work in the anchor-based family? Hidden-style photos, whose best crop only the references tell.
_base_ = ["../baselines/gaic_procrop_toy.py"]
references = dict(gallery="data/hidden_style/gallery_index", table="data/hidden_style/neighbours.npz")
data_root = "data/hidden_style"
train_dataloader = dict(dataset=dict(data_root=data_root, references=references))
val_dataloader = dict(dataset=dict(data_root=data_root, references=references))
test_dataloader = dict(dataset=dict(data_root=data_root, references=references))
train_cfg = dict(max_epochs=8, val_interval=8)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=20, by_epoch=False),
    dict(type="MultiStepLR", begin=0, end=8, by_epoch=True, milestones=[6], gamma=0.1),
]

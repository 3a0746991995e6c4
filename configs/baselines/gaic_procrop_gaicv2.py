# The anchor-based family with retrieved references, which each crop attends to (twin: gaic_blind_gaicv2.py).
_base_ = [
    "../_base_/models/gaic_r50.py",
    "../_base_/datasets/gaicv2_grid.py",
    "../_base_/retrieval/sam_vit_b.py",
    "../_base_/schedules/gaic_80e.py",
    "../_base_/default_runtime.py",
]
default_hooks = dict(checkpoint=dict(save_best="grid/srcc"))

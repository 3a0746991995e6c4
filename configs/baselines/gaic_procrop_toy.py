# The anchor-based family with retrieved references on procedural photos (twin: gaic_blind_toy.py).
_base_ = [
    "../_base_/models/gaic_lite0.py",
    "../_base_/datasets/toy_grid.py",
    "../_base_/retrieval/efficientnet_lite0.py",
    "../_base_/schedules/toy.py",
    "../_base_/default_runtime.py",
]
default_hooks = dict(checkpoint=dict(save_best="grid/srcc"))

# Both stages on a small generated set under data/cad_small, in minutes on a CPU: EfficientNet-lite0, no references, 16
# epochs on the known areas, then as many with labels of the model's own (docs/weak_training.md).
_base_ = [
    "../_base_/models/procrop_lite0.py",
    "../_base_/datasets/cad_small.py",
    "../_base_/schedules/toy.py",
    "../_base_/default_runtime.py",
]
model = dict(
    context_encoders=None,
    fusion=None,
    bbox_head=dict(soft_label=dict(bound=0.0), matched_label=dict(type="MOSLabel")),
)
train_cfg = dict(max_epochs=32, val_interval=8)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=20, by_epoch=False),
    dict(type="MultiStepLR", by_epoch=True, milestones=[26], gamma=0.1),
]
custom_hooks = [
    dict(
        type="PseudoLabelHook",
        begin_epoch=16,
        interval=4,
        # a model that has seen few photos is rarely sure
        curation=dict(type="AestheticCuration", top_k=8, min_score=0.05),
    )
]

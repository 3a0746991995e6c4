# procrop_cad.py whose labels come from a running average of the model, which validation and checkpoints take, too.
_base_ = ["../procrop_cad.py"]
custom_hooks = [
    dict(type="EMAHook", momentum=0.001),
    dict(
        type="PseudoLabelHook",
        begin_epoch=100,
        interval=10,
        teacher="average",
        curation=dict(type="AestheticCuration", top_k=8),
        num_workers=4,
    ),
]

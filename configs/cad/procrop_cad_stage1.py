# The first stage of procrop_cad.py alone: 100 epochs on the original photo as the only crop.
_base_ = ["../procrop_cad.py"]
custom_hooks = []
train_cfg = dict(max_epochs=100)

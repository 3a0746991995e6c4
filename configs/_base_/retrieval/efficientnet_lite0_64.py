# efficientnet_lite0.py with tokens of 64 numbers, for a gallery that travels with a model: a photo takes 7 KB.
_base_ = ["efficientnet_lite0.py"]
retrieval = dict(backbone=dict(token_dim=64))

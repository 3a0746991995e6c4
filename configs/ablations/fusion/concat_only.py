# What fusion joins: the references' tokens alone, no cross-attention.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(fusion=dict(terms=("context",)))

# GAIC on procedural photos: a grid-anchor cropper in minutes on a CPU.
_base_ = ["gaic_blind_toy.py"]
model = dict(bbox_head=dict(memory_attention=None))

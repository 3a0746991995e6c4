# Number of crops: N = 24 learnable anchors.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(bbox_head=dict(num_queries=24))

# Number of crops: N = 150 learnable anchors.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(bbox_head=dict(num_queries=150))

# procrop_cpc.py with N = 90 learnable anchors in place of 24: the number of crops where a photo has only 24 annotated.
_base_ = ["procrop_cpc.py"]
model = dict(bbox_head=dict(num_queries=90))

# How the projection is built: references averaged to a 4x4 grid first, m = 16.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(context_encoders=dict(references=dict(pooled_grid=(4, 4))))

# How the projection is built: the mean reference, resampled to the photo's own token grid, m = p.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(fusion=dict(context_grid="photo"))

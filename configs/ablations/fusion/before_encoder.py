# Where fusion joins: before the encoder, which sees all of the memory.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(fuse_before_encoder=True)

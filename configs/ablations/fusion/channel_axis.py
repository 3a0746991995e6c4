# What fusion joins, the second reading of the paper: along the channels of the photo's tokens.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(fusion=dict(type="ChannelFusionNeck"))

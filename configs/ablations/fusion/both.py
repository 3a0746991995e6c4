# What fusion joins: [photo, references, attended] along the token axis behind the encoder, as in the main setting.
_base_ = ["../../procrop_gaicv2.py"]

# Number of crops: N = 90 learnable anchors, as in the main setting.
_base_ = ["../../procrop_gaicv2.py"]

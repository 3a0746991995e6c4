# procrop_r50.py with a dilated last stage (DC5): stride 16, four times the tokens; the GAIC setting of Jia et al.
_base_ = ["procrop_r50.py"]
model = dict(backbone=dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)))

# Figure 9: K = 10 references a photo, as in the main setting.
_base_ = ["../../procrop_cad.py"]

# How the projection is built: one linear map of the stored tokens, as in the main setting.
_base_ = ["../../procrop_gaicv2.py"]

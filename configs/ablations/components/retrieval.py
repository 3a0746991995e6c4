# Table 6: retrieval, no text.
_base_ = ["../../procrop_cad.py"]

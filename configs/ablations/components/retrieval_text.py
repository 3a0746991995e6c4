# Table 6: retrieval and text.
_base_ = ["../../procrop_cad_text.py"]

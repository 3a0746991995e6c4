# Figure 7: neighbours by SAM, the paper's encoder; tokens of SAM, (64, 256). The main model. The gallery:
#   python tools/gallery.py build data/ava/gallery_index --source ava --root data/ava --retrieval <this file>
_base_ = ["../../procrop_gaicv2.py"]

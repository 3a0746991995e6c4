# Table 5: references from the 55,000 best-rated AVA photos, which have no crops: the main model. The gallery:
#   python tools/gallery.py build data/ava/gallery_index --source ava --root data/ava --retrieval <this file>
_base_ = ["../../procrop_gaicv1.py"]

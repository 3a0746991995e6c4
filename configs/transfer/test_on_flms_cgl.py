# FLMS with the gallery exchanged after the training: references from CGL's posters instead of AVA. The gallery:
#   python tools/gallery.py build data/cgl/gallery_index --source cgl --root data/cgl --retrieval CONFIG_OF_TRAINING
_base_ = ["test_on_flms.py"]
references = dict(gallery="data/cgl/gallery_index", table="data/flms/neighbours_cgl.npz")
test_dataloader = dict(dataset=dict(references=references))

# Table 5: references from CPC, as image and annotation. The gallery, of CPC's 10,797 photos (the paper: 10,000):
#   python tools/gallery.py build data/cpc/gallery_index --source cpc --root data/cpc --retrieval <this file>
_base_ = ["../../procrop_gaicv1.py"]
references = dict(gallery="data/cpc/gallery_index", table="data/gaicv1/neighbours_cpc.npz", what="both")
model = dict(context_encoders=dict(references=dict(what=references["what"])))
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

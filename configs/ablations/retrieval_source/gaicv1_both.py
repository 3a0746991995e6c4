# Table 5: references from GAICD v1's own training photos, as image and annotation. The gallery:
#   python tools/gallery.py build data/gaicv1/gallery_index --gaicd data/gaicv1 --version v1 --retrieval <this file>
_base_ = ["../../procrop_gaicv1.py"]
references = dict(
    gallery="data/gaicv1/gallery_index",
    table="data/gaicv1/neighbours_gaicv1.npz",
    what="both",  # "image": only the photos; "annotation": only their scored crops
)
model = dict(context_encoders=dict(references=dict(what=references["what"])))
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

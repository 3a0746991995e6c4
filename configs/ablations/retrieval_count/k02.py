# Figure 9: K = 2 references a photo.
_base_ = ["../../procrop_cad.py"]
references = dict(k=2)
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

# Table 5: as gaicv1_both.py (same gallery, same table), only the scored crops of the references.
_base_ = ["gaicv1_both.py"]
references = dict(what="annotation")
model = dict(context_encoders=dict(references=references))
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

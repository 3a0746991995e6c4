# The retrieval-free twin of procrop_lite.py.
_base_ = ["../procrop_lite.py"]
references = None
model = dict(context_encoders=None, fusion=None)
train_dataloader = dict(dataset=dict(references=None))
val_dataloader = dict(dataset=dict(references=None))
test_dataloader = dict(dataset=dict(references=None))

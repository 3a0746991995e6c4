# The retrieval-free baseline (Jia et al. 2022) of procrop_gaicv1.py: the same without references.
_base_ = ["../procrop_gaicv1.py"]
references = None
model = dict(context_encoders=None, fusion=None)
train_dataloader = dict(dataset=dict(references=None))
val_dataloader = dict(dataset=dict(references=None))
test_dataloader = dict(dataset=dict(references=None))

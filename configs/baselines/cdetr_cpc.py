# The retrieval-free baseline (Jia et al. 2022) of procrop_cpc.py: the same without references.
_base_ = ["../procrop_cpc.py"]
references = None
model = dict(context_encoders=None, fusion=None)
train_dataloader = dict(dataset=dict(references=None))
val_dataloader = dict(dataset=dict(references=None))
test_dataloader = dict(dataset=dict(references=None))

# The reference-free twin of gaic_procrop_gaicv2.py: each crop attends to the photo's own tokens.
_base_ = ["gaic_procrop_gaicv2.py"]
references = None
model = dict(context_encoders=None, fusion=None)
train_dataloader = dict(dataset=dict(references=None))
val_dataloader = dict(dataset=dict(references=None))
test_dataloader = dict(dataset=dict(references=None))

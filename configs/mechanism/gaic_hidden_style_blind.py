# The reference-free twin of gaic_hidden_style.py.
_base_ = ["gaic_hidden_style.py"]
references = None
model = dict(context_encoders=None, fusion=None)
train_dataloader = dict(dataset=dict(references=None))
val_dataloader = dict(dataset=dict(references=None))
test_dataloader = dict(dataset=dict(references=None))

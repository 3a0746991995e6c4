# The twin of two_subjects.py that reads no captions.
_base_ = ["two_subjects.py"]
model = dict(context_encoders=None, fusion=None)
train_dataloader = dict(dataset=dict(text=None))
val_dataloader = dict(dataset=dict(text=None))
test_dataloader = dict(dataset=dict(text=None))

# Figure 9: no references, K = 0, and no part that reads them.
_base_ = ["../../procrop_cad.py"]
references = None
model = dict(context_encoders=None, fusion=None)
train_dataloader = dict(dataset=dict(references=None))
val_dataloader = dict(dataset=dict(references=None))
test_dataloader = dict(dataset=dict(references=None))

# Figure 9: K = 20 references a photo. tools/neighbours.py with this file makes the table that all K read.
_base_ = ["../../procrop_cad.py"]
references = dict(k=20)
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

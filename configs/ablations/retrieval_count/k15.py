# Figure 9: K = 15 references a photo (its neighbour tables: tools/neighbours.py with this file).
_base_ = ["../../procrop_cad.py"]
references = dict(k=15)
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

# GAICD v1 in its release layout under data/gaicv1 (docs/data_preparation.md): as version 2, in another folder.
_base_ = ["gaicv2.py"]
data_root = "data/gaicv1"
references = dict(table="data/gaicv1/neighbours_ava.npz")
dataset = dict(data_root=data_root, version="v1", references=references)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

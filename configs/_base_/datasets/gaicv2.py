# GAICD v2 in its release layout under data/gaicv2 (docs/data_preparation.md).
_base_ = ["loading.py"]
data_root = "data/gaicv2"
# the paper: K = 10 of the 55,000 best-rated AVA photos; set to None for a model without retrieval
references = dict(
    type="LoadReferences",
    gallery="data/ava/gallery_index",
    table="data/gaicv2/neighbours_ava.npz",
    k=10,
    what="image",
)
dataset = dict(type="GAICDataset", data_root=data_root, version="v2", references=references)
train_dataloader = dict(dataset=dict(split="train", **dataset))
val_dataloader = dict(dataset=dict(split="val", **dataset))
test_dataloader = dict(dataset=dict(split="test", **dataset))
val_evaluator = [
    dict(type="CropTopNAccuracy", eps=0.85),
    dict(type="CropIoUDisp", ground_truth="best"),
]
test_evaluator = val_evaluator

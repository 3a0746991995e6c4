# Procedural photos in GAICD v2 layout, drawn by tools/make_toy_dataset.py.
_base_ = ["toy_loading.py"]
data_root = "data/toy"
references = dict(
    type="LoadReferences",
    gallery="data/toy/gallery_index",
    table="data/toy/neighbours.npz",
    k=6,
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

# Procedural photos in GAICD v2 layout, drawn by tools/make_toy_dataset.py.
data_root = "data/toy"
references = dict(
    type="LoadReferences",
    gallery="data/toy/gallery_index",
    table="data/toy/neighbours.npz",
    k=6,
    what="image",
)
train_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="PhotometricDistortion"),
    dict(type="Resize", scale=(256, 192), keep_ratio=True),
    dict(type="PackCropInputs"),
]
test_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="Resize", scale=(256, 192), keep_ratio=True),
    dict(type="PackCropInputs"),
]
dataset = dict(type="GAICDataset", data_root=data_root, version="v2", references=references)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(split="train", pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(split="val", pipeline=test_pipeline, test_mode=True, **dataset),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(split="test", pipeline=test_pipeline, test_mode=True, **dataset),
)
val_evaluator = [
    dict(type="CropTopNAccuracy", eps=0.85),
    dict(type="CropIoUDisp", ground_truth="best"),
]
test_evaluator = val_evaluator

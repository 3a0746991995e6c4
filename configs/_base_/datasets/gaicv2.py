# GAICD v2 in its release layout under data/gaicv2 (docs/data_preparation.md).
data_root = "data/gaicv2"
# the paper: K = 10 of the 55,000 best-rated AVA photos; set to None for a model without retrieval
references = dict(
    type="LoadReferences",
    gallery="data/ava/gallery_index",
    table="data/gaicv2/neighbours_ava.npz",
    k=10,
    what="image",
)
train_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="PhotometricDistortion"),
    # short side 480 to 800, long side at most 1333; no flip and no crop: both change a composition
    dict(
        type="RandomChoiceResize",
        scales=[(1333, short) for short in range(480, 801, 32)],
        resize_type="Resize",
        keep_ratio=True,
    ),
    dict(type="PackCropInputs"),
]
test_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="Resize", scale=(1333, 600), keep_ratio=True),
    dict(type="PackCropInputs"),
]
dataset = dict(type="GAICDataset", data_root=data_root, version="v2", references=references)
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(split="train", pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(split="val", pipeline=test_pipeline, test_mode=True, **dataset),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(split="test", pipeline=test_pipeline, test_mode=True, **dataset),
)
val_evaluator = [
    dict(type="CropTopNAccuracy", eps=0.85),
    dict(type="CropIoUDisp", ground_truth="best"),
]
test_evaluator = val_evaluator

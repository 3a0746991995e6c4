# A small generated set under data/cad_small, at the toy's size. configs/transfer has FLMS and SACD as test sets.
data_root = "data/cad_small"
train_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadPseudoLabels"),
    dict(type="LoadCropAnnotations"),
    dict(type="RandomInitialCrop"),
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
dataset = dict(type="CADDataset", data_root=data_root)
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
val_evaluator = [dict(type="CropIoUDisp", ground_truth="best")]
test_evaluator = val_evaluator

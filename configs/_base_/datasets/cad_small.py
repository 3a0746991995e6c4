# A small generated set under data/cad_small, at the toy's size. configs/transfer has FLMS and SACD as test sets.
_base_ = ["toy_loading.py"]
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
dataset = dict(type="CADDataset", data_root=data_root)
train_dataloader = dict(dataset=dict(split="train", pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(split="val", **dataset))
test_dataloader = dict(dataset=dict(split="test", **dataset))
val_evaluator = [dict(type="CropIoUDisp", ground_truth="best")]
test_evaluator = val_evaluator

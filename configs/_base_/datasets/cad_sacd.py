# Trained and validated on CAD under data/cad, tested on the test photos of SACD under data/sacd, one for each subject
# (docs/data_preparation.md). In CAD the original photo within its out-painting is the one crop, and counts as 5; the
# model sees windows around it (docs/weak_training.md).
_base_ = ["loading.py"]
# the paper: K = 10 of the 55,000 best-rated AVA photos; set to None for a model without retrieval
references = dict(
    type="LoadReferences",
    gallery="data/ava/gallery_index",
    table="data/cad/neighbours_ava.npz",
    k=10,
    what="image",
)
train_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadPseudoLabels"),  # none before the second stage
    dict(type="LoadCropAnnotations"),
    dict(type="RandomInitialCrop"),
    dict(type="PhotometricDistortion"),
    {{_base_.multi_scale_resize}},  # loading.py
    dict(type="PackCropInputs"),
]
dataset = dict(type="CADDataset", data_root="data/cad", references=references)
train_dataloader = dict(dataset=dict(split="train", pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(split="val", **dataset))
test_dataloader = dict(
    dataset=dict(
        type="SACDDataset",
        data_root="data/sacd",
        split="test",
        references=dict(references, table="data/sacd/neighbours_ava.npz"),
    )
)
val_evaluator = [dict(type="CropIoUDisp", ground_truth="best")]
test_evaluator = [dict(type="CropIoUDisp", ground_truth="all")]

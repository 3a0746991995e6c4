# procrop_gaicv2.py with SAM's features for the query too, as SAM computes them: long side 1024, padded to a square.
_base_ = [
    "../../_base_/models/procrop_sam.py",
    "../../_base_/datasets/gaicv2.py",
    "../../_base_/retrieval/sam_vit_b.py",
    "../../_base_/schedules/cdetr_500e.py",
    "../../_base_/default_runtime.py",
]
model = dict(data_preprocessor=dict(pad_size_divisor=1024))
references = dict(gallery="data/ava/gallery_sam_vit_b", table="data/gaicv2/neighbours_ava_sam_vit_b.npz")
train_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="PhotometricDistortion"),
    dict(type="Resize", scale=(1024, 1024), keep_ratio=True, backend="pillow"),
    dict(type="PackCropInputs"),
]
test_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="Resize", scale=(1024, 1024), keep_ratio=True, backend="pillow"),
    dict(type="PackCropInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, references=references))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, references=references))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, references=references))

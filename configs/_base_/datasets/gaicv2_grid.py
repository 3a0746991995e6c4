# GAICD v2 for a model that scores crops: 64 annotated crops a step in training, all of them in file order in a test.
_base_ = ["gaicv2.py"]
# GAIC: short side 256, both sides to multiples of 32
resize = dict(type="Resize", scale=(1344, 256), keep_ratio=True, size_divisor=32)
train_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="SampleCrops", num=64),
    dict(type="PhotometricDistortion"),
    resize,
    dict(type="PackCropInputs"),
]
test_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    resize,
    dict(type="PackCropInputs", candidates="annotated"),
]
train_dataloader = dict(batch_size=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [
    dict(type="GridAccuracy"),
    dict(type="CropTopNAccuracy", eps=0.85),
    dict(type="CropIoUDisp", ground_truth="best"),
]
test_evaluator = val_evaluator

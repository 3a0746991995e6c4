# loading.py for a small model on a CPU: the toy's 256x192 pixels, 8 photos a step, loaded by the process itself.
_base_ = ["loading.py"]
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
train_dataloader = dict(batch_size=8, num_workers=0, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, num_workers=0, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=8, num_workers=0, dataset=dict(pipeline=test_pipeline))

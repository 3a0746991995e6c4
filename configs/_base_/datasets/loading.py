# How photos come to a model, whatever the dataset (Jia et al. 2022); a dataset's file says which photos, in
# train_dataloader.dataset, val_dataloader.dataset and test_dataloader.dataset.

# short side 480 to 800, long side at most 1333; no flip and no crop: both change a composition
multi_scale_resize = dict(
    type="RandomChoiceResize",
    scales=[(1333, short) for short in range(480, 801, 32)],
    resize_type="Resize",
    keep_ratio=True,
)
train_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="PhotometricDistortion"),
    multi_scale_resize,
    dict(type="PackCropInputs"),
]
test_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    dict(type="Resize", scale=(1333, 600), keep_ratio=True),
    dict(type="PackCropInputs"),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(pipeline=test_pipeline, test_mode=True),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(pipeline=test_pipeline, test_mode=True),
)

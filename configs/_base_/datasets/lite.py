# Windows of good photos with a teacher's crops under data/lite, made by tools/teach.py: 384 pixels, sides multiples of
# 32, half of the training photos mirrored. References come from the photos themselves, never from a window's own photo;
# three in ten training photos go without, so that the model also works where there is no gallery.
_base_ = ["loading.py"]
data_root = "data/lite/windows"
references = dict(
    type="LoadReferences",
    gallery="data/lite/gallery",
    table="data/lite/neighbours.npz",
    k=6,
    what="image",
    drop_prob=0.3,
)
resize = dict(type="Resize", scale=(384, 384), keep_ratio=True, size_divisor=32)
# In use a photo is resized as the gallery's encoder does it, so that both see the same pixels and look at them once;
# Pillow's filter covers all pixels of a large photo, where OpenCV's aliases.
resize_in_use = dict(backend="pillow", **resize)
train_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    resize,
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackCropInputs"),
]
test_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadCropAnnotations"),
    resize_in_use,
    dict(type="PackCropInputs"),
]
dataset = dict(type="CropJsonlDataset", data_root=data_root, references=references)
held_out = dict(split="val", pipeline=test_pipeline, **dataset)
train_dataloader = dict(
    batch_size=16, num_workers=0, dataset=dict(split="train", pipeline=train_pipeline, **dataset)
)
val_dataloader = dict(batch_size=16, num_workers=0, dataset=held_out)
test_dataloader = dict(batch_size=16, num_workers=0, dataset=held_out)
val_evaluator = [dict(type="CropIoUDisp", ground_truth="best")]
test_evaluator = val_evaluator

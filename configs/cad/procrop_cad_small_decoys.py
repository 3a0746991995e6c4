# procrop_cad_small.py with decoy seams, and known area and surroundings re-encoded alike.
_base_ = ["procrop_cad_small.py"]
train_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadPseudoLabels"),
    dict(type="LoadCropAnnotations"),
    dict(type="RandomInitialCrop"),
    dict(type="DecoySeams"),
    dict(type="SameEncoding"),
    dict(type="PhotometricDistortion"),
    dict(type="Resize", scale=(256, 192), keep_ratio=True),
    dict(type="PackCropInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

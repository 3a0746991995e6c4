# procrop_cad.py with a second weak signal: the professional photo ranks above its sub-windows and above the windows
# around it (Chen et al. 2017), by the votes of the predictions.
_base_ = ["../procrop_cad.py"]
model = dict(ranking_loss=dict(type="SubWindowRankingLoss", margin=0.2, relative=True))
train_pipeline = [
    dict(type="LoadPhoto"),
    dict(type="LoadPseudoLabels"),
    dict(type="LoadCropAnnotations"),
    dict(type="RandomInitialCrop"),
    dict(type="PhotometricDistortion"),
    dict(
        type="RandomChoiceResize",
        scales=[(1333, short) for short in range(480, 801, 32)],
        resize_type="Resize",
        keep_ratio=True,
    ),
    dict(type="DrawLesserCrops", num=8),
    dict(type="PackCropInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

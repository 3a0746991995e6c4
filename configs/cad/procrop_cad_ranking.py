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
    {{_base_.multi_scale_resize}},  # _base_/datasets/loading.py
    dict(type="DrawLesserCrops", num=8),
    dict(type="PackCropInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

# The model that comes with the package: a frozen EfficientNet-lite0 sees, 0.4 M trained parameters decide, six
# references help. Trained on windows of freely licensed photos, without a crop that a person drew
# (docs/lite_training.md).
_base_ = [
    "_base_/models/procrop_evidence.py",
    "_base_/datasets/lite.py",
    "_base_/retrieval/subject_evidence.py",
    "_base_/schedules/lite.py",
    "_base_/default_runtime.py",
]
model = dict(
    backbone=dict(remember=10_000),
    bbox_head=dict(
        soft_label=dict(type="QualitySoftLabel", iou_thr=0.85, low=2.0, high=3.5, bound=0.0),
        matched_label=dict(type="MOSLabel"),
        vote_gamma=4.0,
    ),
)

# Trained and validated on CPC under data/cpc, tested on all of FLMS under data/flms (docs/data_preparation.md).
_base_ = ["loading.py"]
# the paper: K = 10 of the 55,000 best-rated AVA photos; set to None for a model without retrieval
references = dict(
    type="LoadReferences",
    gallery="data/ava/gallery_index",
    table="data/cpc/neighbours_ava.npz",
    k=10,
    what="image",
)
# positives as Jia et al. take them: a mean score of at least 2.0, without those that overlap a better one
dataset = dict(
    type="CPCDataset", data_root="data/cpc", positive_threshold=2.0, nms_iou=0.8, references=references
)
train_dataloader = dict(dataset=dict(split="train", **dataset))
val_dataloader = dict(dataset=dict(split="val", **dataset))
test_dataloader = dict(
    dataset=dict(
        type="FLMSDataset",
        strict=False,  # two boxes of the release have no area
        data_root="data/flms",
        references=dict(references, table="data/flms/neighbours_ava.npz"),
    )
)
val_evaluator = [dict(type="CropIoUDisp", ground_truth="best")]
test_evaluator = [dict(type="CropIoUDisp", ground_truth="all")]

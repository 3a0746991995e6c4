# CPC's validation photos as test set of a checkpoint that was trained on anything; see test_on_flms.py.
_base_ = ["test_on_flms.py"]
test_dataloader = dict(
    dataset=dict(
        type="CPCDataset",
        strict=True,
        data_root="data/cpc",
        split="val",
        references=dict(table="data/cpc/neighbours_ava.npz"),
        text=dict(folder="data/cpc/text_blip"),
    ),
)
test_evaluator = [
    dict(type="CropTopNAccuracy", eps=0.85),
    dict(type="CropIoUDisp", ground_truth="best"),
]

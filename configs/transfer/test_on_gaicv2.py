# GAICD v2 as test set of a checkpoint that was trained on anything; see test_on_flms.py.
_base_ = ["test_on_flms.py"]
test_dataloader = dict(
    dataset=dict(
        type="GAICDataset",
        strict=True,
        data_root="data/gaicv2",
        version="v2",
        split="test",
        references=dict(table="data/gaicv2/neighbours_ava.npz"),
        text=dict(folder="data/gaicv2/text_blip"),
    ),
)
test_evaluator = [
    dict(type="CropTopNAccuracy", eps=0.85),
    dict(type="CropIoUDisp", ground_truth="best"),
]

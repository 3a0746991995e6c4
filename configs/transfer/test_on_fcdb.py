# FCDB as test set of a checkpoint that was trained on anything; see test_on_flms.py. One crop a photo.
_base_ = ["test_on_flms.py"]
test_dataloader = dict(
    dataset=dict(
        type="FCDBDataset",
        data_root="data/fcdb",
        split="test",
        strict=False,  # many of its photos are gone
        references=dict(table="data/fcdb/neighbours_ava.npz"),
    ),
)

# FCDB as test set of a checkpoint that was trained on anything; see test_on_flms.py.
_base_ = ["test_on_flms.py"]
test_dataloader = dict(
    dataset=dict(
        type="FCDBDataset",
        data_root="data/fcdb",
        split="test",
        references=dict(table="data/fcdb/neighbours_ava.npz"),
        text=dict(folder="data/fcdb/text_blip"),
    ),
)

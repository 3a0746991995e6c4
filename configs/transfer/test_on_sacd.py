# SACD, a record for each subject, as test set of a checkpoint trained on anything; see test_on_flms.py.
_base_ = ["test_on_flms.py"]
test_dataloader = dict(
    dataset=dict(
        type="SACDDataset",
        strict=True,
        data_root="data/sacd",
        split="test",
        references=dict(table="data/sacd/neighbours_ava.npz"),
        text=dict(folder="data/sacd/text_blip"),
    ),
)

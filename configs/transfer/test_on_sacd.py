# SACD as test set of a checkpoint that was trained on anything; see test_on_flms.py. A sample is a photo and a subject.
_base_ = ["test_on_flms.py"]
test_dataloader = dict(
    dataset=dict(
        type="SACDDataset",
        data_root="data/sacd",
        split="test",
        references=dict(table="data/sacd/neighbours_ava.npz"),
    ),
)

# GAICD v1 as test set of a checkpoint that was trained on anything; see test_on_flms.py.
_base_ = ["test_on_gaicv2.py"]
test_dataloader = dict(
    dataset=dict(
        data_root="data/gaicv1",
        version="v1",
        references=dict(table="data/gaicv1/neighbours_ava.npz"),
        text=dict(folder="data/gaicv1/text_blip"),
    ),
)

# CAD's validation photos as test set of a checkpoint that was trained on anything; see test_on_flms.py.
_base_ = ["test_on_flms.py"]
test_dataloader = dict(
    dataset=dict(
        type="CADDataset",
        strict=True,
        data_root="data/cad",
        split="val",
        references=dict(table="data/cad/neighbours_ava.npz"),
        text=dict(folder="data/cad/text_blip"),
    ),
)

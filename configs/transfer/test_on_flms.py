# FLMS as test set of a checkpoint that was trained on anything (docs/ablations.md):
#   python tools/test.py configs/transfer/test_on_flms.py CHECKPOINT
# Only what is tested: model and pipeline are the checkpoint's, as are k and `what` of the references. A model without
# references gets none, and one without text no text.
_base_ = ["../_base_/text/blip_base.py"]  # of it, tools/text.py takes the encoder
default_scope = "procrop"
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="FLMSDataset",
        strict=False,  # two boxes of the release have no area
        data_root="data/flms",
        test_mode=True,
        references=dict(
            type="LoadReferences",
            gallery="data/ava/gallery_index",
            table="data/flms/neighbours_ava.npz",
            k=10,
        ),
        text=dict(type="LoadTextTokens", folder="data/flms/text_blip"),
    ),
)
test_cfg = dict(type="TestLoop")
test_evaluator = dict(type="CropIoUDisp", ground_truth="all")

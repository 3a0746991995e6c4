# Does the text work? Photos of two subjects, of which the caption names the one to keep (tools/text_mechanism.py).
_base_ = ["../procrop_toy.py"]
text_encoder = dict(type="WordTextEncoder")
data_root = "data/two_subjects"
text_tokens = dict(type="LoadTextTokens", folder="data/two_subjects/text")
model = dict(
    # a coarser map of features that know more of what a thing is
    backbone=dict(out_strides=(32,)),
    neck=dict(in_channels=[320]),
    context_encoders=dict(_delete_=True, text_tokens=dict(type="TextContextEncoder", embed_dims=128)),
    fusion=dict(contexts=("text_tokens",)),
)
dataset = dict(data_root=data_root, references=None, text=text_tokens)
train_dataloader = dict(dataset=dict(dataset, positive_threshold=4.5, text=dict(text_tokens, drop_prob=0.15)))
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
train_cfg = dict(max_epochs=24, val_interval=24)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, begin=0, end=20, by_epoch=False),
    dict(type="MultiStepLR", begin=0, end=24, by_epoch=True, milestones=[20], gamma=0.1),
]

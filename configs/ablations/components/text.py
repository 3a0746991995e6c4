# Beside Table 6, which leaves it out: text, no retrieval. A row of ours, with no figures in the paper.
_base_ = ["../../procrop_cad_text.py"]
references = None
model = dict(
    context_encoders=dict(_delete_=True, text_tokens=dict(type="TextContextEncoder", embed_dims=256)),
    fusion=dict(contexts=("text_tokens",)),
)
train_dataloader = dict(dataset=dict(references=None))
val_dataloader = dict(dataset=dict(references=None))
test_dataloader = dict(dataset=dict(references=None))

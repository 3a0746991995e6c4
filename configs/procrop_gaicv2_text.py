# procrop_gaicv2.py with the text branch: BLIP's tokens of photo and caption join the references in the memory. Schedule
# and all else are procrop_gaicv2.py's. The paper's figures on GAICD are without text. Captions and tokens are made by
#   python tools/text.py build configs/procrop_gaicv2_text.py
_base_ = ["procrop_gaicv2.py", "_base_/text/blip_base.py"]
text_tokens = dict(type="LoadTextTokens", folder="data/gaicv2/text_blip")
model = dict(
    # in_channels is that of the text folder
    context_encoders=dict(text_tokens=dict(type="TextContextEncoder", embed_dims=256)),
    fusion=dict(contexts=("references", "text_tokens")),
)
train_dataloader = dict(dataset=dict(text=text_tokens))
val_dataloader = dict(dataset=dict(text=text_tokens))
test_dataloader = dict(dataset=dict(text=text_tokens))

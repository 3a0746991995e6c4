# procrop_cad.py with the text branch, as the paper has it in Table 4. Schedule and all else are procrop_cad.py's: the
# paper gives no others for text. Captions and tokens of CAD and SACD are made by
#   python tools/text.py build configs/procrop_cad_text.py
_base_ = ["procrop_cad.py", "_base_/text/blip_base.py"]
text_tokens = dict(type="LoadTextTokens", folder="data/cad/text_blip")
model = dict(
    # in_channels is that of the text folder
    context_encoders=dict(text_tokens=dict(type="TextContextEncoder", embed_dims=256)),
    fusion=dict(contexts=("references", "text_tokens")),
)
train_dataloader = dict(dataset=dict(text=text_tokens))
val_dataloader = dict(dataset=dict(text=text_tokens))
test_dataloader = dict(dataset=dict(text=dict(text_tokens, folder="data/sacd/text_blip")))

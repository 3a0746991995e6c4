# How the projection is built: two layers for the stored tokens.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(context_encoders=dict(references=dict(projection="mlp")))

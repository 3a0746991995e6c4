# How the projection is built: tokens do not know how similar their reference is.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(context_encoders=dict(references=dict(similarity=False)))

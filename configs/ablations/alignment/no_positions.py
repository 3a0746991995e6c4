# How the projection is built: tokens do not know where in their reference they lie.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(context_encoders=dict(references=dict(positions=False)))

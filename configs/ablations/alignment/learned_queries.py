# How the projection is built: 64 learned queries read all references; the memory is as long for any K.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(context_encoders=dict(references=dict(num_latents=64)))

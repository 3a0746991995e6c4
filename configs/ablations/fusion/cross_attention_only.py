# What fusion joins: what the photo reads out of the references, not the references.
_base_ = ["../../procrop_gaicv2.py"]
model = dict(fusion=dict(terms=("attended",)))

# GAIC (Zeng et al. 2019), the anchor-based baseline: given crops are scored from their RoI and RoD features alone.
_base_ = ["gaic_blind_gaicv2.py"]
model = dict(bbox_head=dict(memory_attention=None))

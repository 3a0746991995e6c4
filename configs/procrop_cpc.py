# The paper's supervised setting on CPC, tested on FLMS (Table 3): K = 10 references found by SAM, N = 24 crops, 500
# epochs. CPC's 24 crops a photo are too few for quality guidance (Jia et al.): the soft labels are off.
_base_ = [
    "_base_/models/procrop_r50.py",
    "_base_/datasets/cpc_flms.py",
    "_base_/retrieval/sam_vit_b.py",
    "_base_/schedules/cdetr_500e.py",
    "_base_/default_runtime.py",
]
model = dict(bbox_head=dict(num_queries=24, soft_label=dict(bound=0.0)))

# The paper's supervised setting on GAICD v1 (Table 3): K = 10 references found by SAM, N = 90 crops,
# 500 epochs.
_base_ = [
    "_base_/models/procrop_r50.py",
    "_base_/datasets/gaicv1.py",
    "_base_/retrieval/sam_vit_b.py",
    "_base_/schedules/cdetr_500e.py",
    "_base_/default_runtime.py",
]

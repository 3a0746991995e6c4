# The paper's weakly supervised setting, trained on CAD and tested on SACD (Table 4, Figure 9): K = 10 references found
# by SAM, N = 90 crops. This is its stage 1, 100 epochs on the original photo as the only crop; stage 2, 400 epochs on
# crops of the model's own, is not in it. One crop a photo says nothing about quality: the soft labels are off.
_base_ = [
    "_base_/models/procrop_r50.py",
    "_base_/datasets/cad_sacd.py",
    "_base_/retrieval/sam_vit_b.py",
    "_base_/schedules/cdetr_500e.py",
    "_base_/default_runtime.py",
]
model = dict(bbox_head=dict(soft_label=dict(bound=0.0)))
train_cfg = dict(max_epochs=100)

# The paper's weakly supervised setting, trained on CAD and tested on SACD (Table 4, Figure 9): K = 10 references found
# by SAM, N = 90 crops. One run has both stages: 100 epochs on the original photo as the only crop, then 400 on crops of
# the model's own too (docs/weak_training.md; configs/cad/procrop_cad_stage1.py stops after the first). One crop a photo
# says nothing about quality: the soft labels are off; a matched crop is learnt as good as its score says.
_base_ = [
    "_base_/models/procrop_r50.py",
    "_base_/datasets/cad_sacd.py",
    "_base_/retrieval/sam_vit_b.py",
    "_base_/schedules/cdetr_500e.py",
    "_base_/default_runtime.py",
]
model = dict(bbox_head=dict(soft_label=dict(bound=0.0), matched_label=dict(type="MOSLabel")))
custom_hooks = [
    dict(
        type="PseudoLabelHook",
        begin_epoch=100,
        interval=10,
        teacher="student",
        curation=dict(type="AestheticCuration", top_k=8),
        num_workers=4,
    )
]

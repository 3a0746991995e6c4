# Figure 7: neighbours by CLIP, which looks for what a caption would say; tokens of CLIP, (49, 768). The gallery:
#   python tools/gallery.py build data/ava/gallery_index_clip --source ava --root data/ava --retrieval <this file>
_base_ = [
    "../../_base_/models/procrop_r50.py",
    "../../_base_/datasets/gaicv2.py",
    "../../_base_/retrieval/clip_vit_b32.py",
    "../../_base_/schedules/cdetr_500e.py",
    "../../_base_/default_runtime.py",
]
references = dict(gallery="data/ava/gallery_index_clip", table="data/gaicv2/neighbours_ava_clip.npz")
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

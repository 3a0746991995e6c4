# Figure 7: neighbours by their lines; tokens of EfficientNet-lite, (64, 112). The gallery:
#   python tools/gallery.py build data/ava/gallery_index_lines --source ava --root data/ava --retrieval <this file>
_base_ = [
    "../../_base_/models/procrop_r50.py",
    "../../_base_/datasets/gaicv2.py",
    "../../_base_/retrieval/line_composition.py",
    "../../_base_/schedules/cdetr_500e.py",
    "../../_base_/default_runtime.py",
]
references = dict(gallery="data/ava/gallery_index_lines", table="data/gaicv2/neighbours_ava_lines.npz")
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

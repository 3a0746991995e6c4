# Figure 7: neighbours by DreamSim, which sees as people do; tokens of its three networks, (49, 2304). The gallery:
#   python tools/gallery.py build data/ava/gallery_index_dreamsim --source ava --root data/ava --retrieval <this file>
_base_ = [
    "../../_base_/models/procrop_r50.py",
    "../../_base_/datasets/gaicv2.py",
    "../../_base_/retrieval/dreamsim.py",
    "../../_base_/schedules/cdetr_500e.py",
    "../../_base_/default_runtime.py",
]
references = dict(gallery="data/ava/gallery_index_dreamsim", table="data/gaicv2/neighbours_ava_dreamsim.npz")
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

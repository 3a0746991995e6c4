# A small ProCrop on procedural photos: the whole of it in minutes on a CPU (make quickstart).
_base_ = [
    "_base_/models/procrop_lite0.py",
    "_base_/datasets/toy.py",
    "_base_/retrieval/efficientnet_lite0.py",
    "_base_/schedules/toy.py",
    "_base_/default_runtime.py",
]

# DreamSim, the ensemble: neighbours are alike in layout, pose and content as people see it. Keys: 1,792 numbers, whose
# cosine distance is DreamSim's. Tokens: 14x14 patches of three networks pooled to 7x7, (49, 2304); token_grid=None
# leaves them out. Unpack into `folder`, which may be the cache folder of the dreamsim package:
#   https://github.com/ssundaram21/dreamsim/releases/download/v0.2.0-checkpoints/dreamsim_ensemble_checkpoint.zip
# and beside it
#   https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth
retrieval = dict(
    backbone=dict(
        type="DreamSimRetrieval",
        variant="ensemble",
        folder="weights/dreamsim",
        token_grid=(7, 7),
    ),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)

# How a run is logged, saved, seeded and started. See procrop/engine/hooks for what each hook of this project is for.
default_scope = "procrop"

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=20),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(
        type="SafeCheckpointHook", interval=1, max_keep_ckpts=2, save_best="crop_best/iou@1", rule="greater"
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    epoch_seed=dict(type="EpochSeedHook"),
    non_finite_loss=dict(type="NonFiniteLossHook"),
    retrieval_fingerprint=dict(type="RetrievalFingerprintHook"),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),  # gloo by itself where there is no GPU
)
randomness = dict(seed=0, deterministic=False)

log_processor = dict(by_epoch=True, window_size=20)
log_level = "INFO"

load_from = None
load_strict = True  # whether load_from must fit the model exactly
resume = False

"""What surrounds a training run: config validation, safe checkpoints, exact resume, distributed start."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checkpoint": [
            "CheckpointError",
            "LoadReport",
            "install_safe_loading",
            "load_checkpoint_file",
            "load_weights",
            "state_dict_of",
        ],
        "config_text": ["checkpoint_config", "parse_config_text"],
        "config_validation": ["ConfigError", "merge_cfg_options", "validate_config"],
        "distributed": ["CropDistributedDataParallel", "init_distributed", "share_cores"],
        "prediction_dump": ["PredictionDump"],
        "resume": ["config_changes", "find_resumable_checkpoint"],
        "runner": ["CropRunner"],
    },
)

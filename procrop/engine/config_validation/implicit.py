"""Parts of a config that have a fixed set of keys although they name no ``type``."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from .places import Path
from .signatures import Accepted, accepted_keys

# read by the runner or the tools at the top level, beside the arguments of Runner itself
_TOOL_KEYS = frozenset(
    "custom_imports tta_model tta_pipeline backend_args runner_type compile activation_checkpointing "
    "efficient_conv_bn_eval find_unused_parameters model_wrapper_cfg sync_bn load_strict retrieval "
    "gallery_source text_encoder generation".split()
)
DEFAULT_HOOKS = frozenset(
    "runtime_info timer sampler_seed logger param_scheduler checkpoint visualization".split()
)

_PARAMWISE = frozenset(
    "custom_keys bias_lr_mult bias_decay_mult norm_decay_mult dwconv_decay_mult flat_decay_mult bypass_duplicate "
    "dcn_offset_lr_mult".split()
)
_FIXED = {
    ("env_cfg",): frozenset({"cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit"}),
    ("auto_scale_lr",): frozenset({"enable", "base_batch_size"}),
    ("retrieval",): frozenset({"backbone", "token_backbone", "key_transform", "index"}),
    ("generation",): frozenset(
        {"source", "steps", "expansions", "seed", "val_share", "test_share", "quality"}
    ),
}


@cache
def runner_keys() -> frozenset[str]:
    """All top-level keys that a config of this project can have a use for."""
    from mmengine.runner import Runner

    return (accepted_keys(Runner).names - {"cfg"}) | _TOOL_KEYS


def implicit_keys(
    path: Path, node: Mapping[str, Any], above: Mapping[str, Any] | None
) -> tuple[str, Accepted] | None:
    """What the part is, in words, and the keys that it takes; None when its keys are free.

    Args:
        path: keys from the top of the config to the part.
        node: the part, a dict without ``type``.
        above: the dict that holds the part.
    """
    if path in _FIXED:
        return path[0], Accepted(_FIXED[path])
    if path == ("optim_wrapper", "paramwise_cfg"):
        usual = (above or {}).get("constructor", "DefaultOptimWrapperConstructor")
        known = Accepted(_PARAMWISE) if usual == "DefaultOptimWrapperConstructor" else None
        return ("DefaultOptimWrapperConstructor", known) if known else None
    if len(path) == 1:
        return _top_level(path[0], node)
    if path == ("env_cfg", "mp_cfg"):
        from mmengine.utils.dl_utils import set_multi_processing

        return "set_multi_processing", accepted_keys(set_multi_processing)
    return None


def _top_level(key: str, node: Mapping[str, Any]) -> tuple[str, Accepted] | None:
    from mmengine import optim, runner, visualization

    if key in ("train_dataloader", "val_dataloader", "test_dataloader"):
        return _dataloader()
    if key == "train_cfg":
        loop = runner.EpochBasedTrainLoop if node.get("by_epoch", True) else runner.IterBasedTrainLoop
        return loop.__name__, accepted_keys(loop).plus(frozenset({"by_epoch"}))
    if key == "randomness":
        return "randomness", accepted_keys(runner.Runner.set_randomness)
    component = {
        "val_cfg": runner.ValLoop,
        "test_cfg": runner.TestLoop,
        "log_processor": runner.LogProcessor,
        "visualizer": visualization.Visualizer,
    }.get(key)
    if component is not None:
        return component.__name__, accepted_keys(component)
    if key == "optim_wrapper" and "optimizer" in node:
        wrapper = accepted_keys(optim.OptimWrapper)
        return "OptimWrapper", wrapper.plus(frozenset({"constructor", "paramwise_cfg", "optimizer"}))
    return None


@cache
def _dataloader() -> tuple[str, Accepted]:
    from torch.utils.data import DataLoader

    added_by_runner = frozenset({"num_batch_per_epoch", "disable_subprocess_warning"})
    return "DataLoader", accepted_keys(DataLoader).plus(added_by_runner)

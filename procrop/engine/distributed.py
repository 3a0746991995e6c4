"""Several processes, with or without GPUs: process group, threads, and a model wrapper that works on both."""

import datetime
import os

import torch
import torch.distributed
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS


def init_distributed(launcher: str, backend: str | None = None, timeout: float | None = None) -> None:
    """Join the process group before a Runner is made: mmengine's own start calls CUDA even for gloo.

    Does nothing for ``launcher="none"``, when the group exists, or with GPUs (mmengine's start is right there).

    Args:
        launcher: ``"none"`` or ``"pytorch"`` (torchrun and its environment variables).
        backend: ``"gloo"`` forces it; by default gloo without CUDA.
        timeout: Seconds until a process that waits for the others gives up; torch's default otherwise.

    Raises:
        ValueError: The environment variables of torchrun are missing.
    """
    if launcher != "pytorch" or torch.distributed.is_initialized():
        return
    missing = [
        key
        for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
        if key not in os.environ
    ]
    if missing:
        raise ValueError(
            f"--launcher pytorch needs torchrun ({', '.join(missing)} not set): use tools/dist_train.sh"
        )
    if torch.cuda.is_available() and backend != "gloo":
        return
    options = {} if timeout is None else {"timeout": datetime.timedelta(seconds=timeout)}
    torch.distributed.init_process_group("gloo", **options)


def share_cores() -> int:
    """Give this process its share of the machine's cores; alone it keeps torch's default.

    Returns:
        The number of threads torch uses now.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if torch.distributed.is_initialized() and processes > 1:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // processes))
    return torch.get_num_threads()


@MODEL_WRAPPERS.register_module()
class CropDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's wrapper, which also takes models on the CPU (torch wants no ``device_ids`` there).

    Args:
        module: The model.
        device_ids: GPU of this process, as mmengine's Runner passes it; dropped for a model on the CPU.
        **kwargs: As for ``MMDistributedDataParallel``.
    """

    def __init__(self, module: torch.nn.Module, device_ids: list[int] | None = None, **kwargs) -> None:
        on_cpu = all(parameter.device.type == "cpu" for parameter in module.parameters())
        super().__init__(module=module, device_ids=None if on_cpu else device_ids, **kwargs)

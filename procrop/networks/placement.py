"""Where a network runs and in which float type, checked before anything is loaded."""

import torch

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def checked_placement(batch_size: int, device: str, dtype: str) -> tuple[int, torch.device, torch.dtype]:
    """What encoders take as settings of speed, as torch's own objects.

    Args:
        batch_size: Photos per forward pass.
        device: Name of a torch device.
        dtype: ``"float32"``, ``"float16"`` or ``"bfloat16"``.

    Raises:
        ValueError: A batch size below 1, an unknown dtype, or a device that is not there.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    return int(batch_size), checked_device(device), DTYPES[dtype]


def checked_device(device: str) -> torch.device:
    """A device by its name.

    Raises:
        ValueError: It is a CUDA device, and there is none.
    """
    place = torch.device(device)
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {device!r}: torch sees no CUDA device here; take device='cpu'")
    return place

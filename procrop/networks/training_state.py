"""The state of a training between two epochs, as a file of plain tensors."""

import json
import os

from torch import Tensor, nn
from torch.optim import Optimizer

from procrop.io.atomic import write_bytes


class TrainingError(ValueError):
    """A training that cannot go on; the message says what to do."""


class TrainingStateError(TrainingError):
    """A state that is damaged or of another run."""


def save_training_state(
    path: str | os.PathLike, network: nn.Module, optimizer: Optimizer, signature: str, epoch: int
) -> None:
    """Write weights, the optimizer's moments and how far the run is (safetensors), atomically.

    Args:
        path: The file.
        network: What is trained.
        optimizer: Its optimizer; learning rates are not kept, a schedule sets them.
        signature: Hash of all that decides the run's result.
        epoch: Epochs done.
    """
    from safetensors.torch import save

    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for i, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{name}": value for name, value in values.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    note = json.dumps({"signature": signature, "epoch": epoch})
    write_bytes(path, save(tensors, metadata={"procrop": note}))


def load_training_state(
    path: str | os.PathLike, network: nn.Module, optimizer: Optimizer, signature: str, remedy: str
) -> int:
    """Take over a state.

    Args:
        path: A file of `save_training_state`.
        network: Gets the weights.
        optimizer: Gets the moments.
        signature: That of this run.
        remedy: What to do with a state that cannot be taken over.

    Returns:
        The number of epochs done.

    Raises:
        TrainingStateError: It is damaged, or its signature is another.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), "pt") as file:
            note = json.loads(file.metadata()["procrop"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        same = note["signature"] == signature
        if same:
            _take_over(tensors, network, optimizer)
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise TrainingStateError(f"{path}: damaged ({error}); {remedy}") from error
    if not same:
        raise TrainingStateError(f"{path}: of a run with other settings or photos; {remedy}")
    return int(note["epoch"])


def _take_over(tensors: dict[str, Tensor], network: nn.Module, optimizer: Optimizer) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    own = {}
    for name, value in tensors.items():
        group, _, rest = name.partition(".")
        if group == "network":
            own[rest] = value
        else:
            i, entry = rest.split(".", 1)
            state.setdefault(int(i), {})[entry] = value
    network.load_state_dict(own)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})

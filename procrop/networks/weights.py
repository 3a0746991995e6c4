"""Weight files of plain tensors: reading without running code from them, loading without silent misfits."""

import os
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

_EXAMPLES = 3


def read_state(path: str | os.PathLike) -> dict[str, Tensor]:
    """Named tensors of a ``.safetensors`` file or a torch file, on the CPU; a ``state_dict`` entry is unwrapped.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file cannot be read as weights, or holds something else than named tensors.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{path}: no such weight file")
    try:
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path}: cannot be read as weights ({error}); a file of plain tensors is needed"
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path}: holds something else than named tensors")
    return dict(state)


def load_strict(
    network: nn.Module,
    state: Mapping[str, Tensor],
    source: str | os.PathLike,
    what: str,
    remedy: str,
    optional: Collection[str] = (),
) -> None:
    """Load ``state`` into ``network``; every key and shape must fit, or nothing is loaded.

    Args:
        network: The module to fill.
        state: Named tensors under the module's own names.
        source: The file they come from, for the message.
        what: What the module is, e.g. ``"SAM vit_b"``.
        remedy: What to do when they do not fit.
        optional: Names of the network that the file may leave out (values that are computed, not learned).

    Raises:
        ValueError: Keys or shapes do not match, with counts and examples.
    """
    target = network.state_dict()
    missing = sorted(target.keys() - state.keys() - set(optional))
    unexpected = sorted(state.keys() - target.keys())
    misshapen = sorted(k for k in target.keys() & state.keys() if target[k].shape != state[k].shape)
    if missing or unexpected or misshapen:
        examples = ", ".join([*missing, *unexpected, *misshapen][:_EXAMPLES])
        raise ValueError(
            f"{source}: not weights of {what}: {len(missing)} keys missing, {len(unexpected)} unexpected, "
            f"{len(misshapen)} of another shape (e.g. {examples}); {remedy}"
        )
    network.load_state_dict(state, strict=not optional)

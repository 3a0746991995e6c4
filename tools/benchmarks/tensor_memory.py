"""How much memory the tensors of a piece of code need at its peak."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class TensorMemory(TorchDispatchMode):
    """Counts the bytes of living tensors that torch operations have made since it began; for CPUs.

    What an operation needs for itself inside is not seen, nor is what was there before. Deterministic: it counts
    tensors and does not ask the operating system.

    Attributes:
        live: Bytes now.
        peak: Most bytes at once since :meth:`restart`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: set[int] = set()

    def restart(self) -> None:
        """Look for a new peak from here on."""
        self.peak = self.live

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:  # noqa: ANN401
        out = func(*args, **(kwargs or {}))
        given = {s._cdata for s in _storages((args, kwargs))}  # views of what was there before are not new
        for storage in _storages(out):
            if storage._cdata not in given and storage._cdata not in self._known:
                self._known.add(storage._cdata)
                self.live += storage.nbytes()
                weakref.finalize(storage, self._free, storage._cdata, storage.nbytes())
        self.peak = max(self.peak, self.live)
        return out

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


class CudaMemory:
    """The same counters from the allocator of a GPU, operations' own needs included."""

    def __enter__(self) -> "CudaMemory":
        self.restart()
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    @property
    def live(self) -> int:
        """Bytes now."""
        return torch.cuda.memory_allocated()

    @property
    def peak(self) -> int:
        """Most bytes at once since :meth:`restart`."""
        return torch.cuda.max_memory_allocated()

    def restart(self) -> None:
        """Look for a new peak from here on."""
        torch.cuda.reset_peak_memory_stats()


def tensor_memory(device: str) -> TensorMemory | CudaMemory:
    """Counters for a device, to be entered as a context."""
    return CudaMemory() if device.startswith("cuda") else TensorMemory()


def _storages(tree: Any) -> list[Any]:  # noqa: ANN401
    return [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def peak_of(memory: TensorMemory | CudaMemory, run: Callable[[], Any]) -> tuple[Any, int]:
    """Run something; its result, and the most bytes it had at once beyond those at its start."""
    before = memory.live
    memory.restart()
    result = run()
    return result, memory.peak - before

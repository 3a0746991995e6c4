"""Embedded photos, as many as fit into a given memory."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from procrop.inference import PhotoEmbedding


class EmbeddingCache:
    """Keeps the embeddings that were used last; several threads may ask at once.

    Args:
        max_bytes: of all embeddings together. The newest one is kept even if it alone is larger.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, tuple[PhotoEmbedding, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def held_bytes(self) -> int:
        """What the kept embeddings take."""
        with self._lock:
            return sum(size for _, size in self._kept.values())

    def get(self, key: Hashable) -> "PhotoEmbedding | None":
        """The embedding of a key, or None where it is not kept (any more)."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, embedding: "PhotoEmbedding") -> None:
        """Keep an embedding, in place of those that were not used for longest."""
        size = embedding_bytes(embedding)
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (embedding, size)
            held = sum(each for _, each in self._kept.values())
            while held > self.max_bytes and len(self._kept) > 1:
                _, (_, gone) = self._kept.popitem(last=False)
                held -= gone

    def drop(self, key: Hashable) -> None:
        """Forget a key; one that is not kept is no error."""
        with self._lock:
            self._kept.pop(key, None)


def embedding_bytes(embedding: object) -> int:
    """Bytes of the arrays and tensors of a dataclass, to the bottom; the few of everything else are not counted."""
    return sum(part.nbytes for part in _arrays(embedding))


def _arrays(value: object) -> Iterator:
    if isinstance(value, np.ndarray) or (hasattr(value, "nbytes") and hasattr(value, "shape")):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _arrays(getattr(value, field.name))

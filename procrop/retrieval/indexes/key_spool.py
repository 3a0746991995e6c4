"""Keys that wait on the disk until they go to a server."""

import hashlib
import tempfile

import numpy as np

from .id_table import IdTable


class KeySpool:
    """Keys in a temporary file without a name, so that memory does not grow with the gallery.

    Attributes:
        ids: Their ids by row.
        dim: Length of the keys.
        largest: Length of the longest.
    """

    def __init__(self, dim: int) -> None:
        self.ids = IdTable()
        self.dim = dim
        self.largest = 0.0
        self._file = tempfile.TemporaryFile(prefix="procrop-keys-")
        self._id_hash, self._key_hash = hashlib.sha256(), hashlib.sha256()

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, ids: np.ndarray, keys: np.ndarray) -> None:
        """Append contiguous keys (N, d) float32 under ids (N,) int64.

        Raises:
            ValueError: An id that is negative or held already.
            OSError: No room for temporary files.
        """
        self.ids.add(ids)
        self._file.write(keys.data)
        self._id_hash.update(np.ascontiguousarray(ids).data)
        self._key_hash.update(keys.data)
        lengths = np.einsum("nd,nd->n", keys, keys, dtype=np.float64)
        self.largest = max(self.largest, float(np.sqrt(lengths.max())))

    @property
    def hashes(self) -> list[str]:
        """SHA-256 of all ids and of all keys, however they were cut into chunks."""
        return [self._id_hash.hexdigest(), self._key_hash.hexdigest()]

    @property
    def keys(self) -> np.ndarray:
        """All keys (n, d) float32, memory-mapped."""
        self._file.flush()
        return np.memmap(self._file, np.float32, "r", shape=(len(self), self.dim))

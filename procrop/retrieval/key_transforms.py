"""What is done to an encoder's keys before they are indexed; fitted on a gallery once, then frozen with
it."""

import io
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from procrop.registry import KEY_TRANSFORMS

# keys that are widened to float64 at once
_CHUNK = 8192


class KeyTransform(ABC):
    """Maps keys to keys: ``fit`` on the gallery's, then ``transform`` the gallery's and each query's
    alike."""

    # True where the first step works on tokens (N, m, d_r) instead of the encoder's keys
    takes_tokens = False

    def fit(self, keys: np.ndarray) -> "KeyTransform":
        """Learn from a gallery's keys (N, d) float32; most transforms have nothing to learn."""
        return self

    def output_dim(self, dim: int) -> int:
        """Length of the keys it gives for keys of length ``dim``.

        Raises:
            ValueError: It cannot work on keys of that length.
        """
        return dim

    @abstractmethod
    def transform(self, keys: np.ndarray) -> np.ndarray:
        """Map keys (N, d) float32 -> (N, d_key) float32.

        Raises:
            ValueError: A key cannot be mapped, or the transform was not fitted.
        """

    def state(self) -> dict[str, np.ndarray]:
        """What ``fit`` has learned, as named arrays."""
        return {}

    def load_state(self, state: dict[str, np.ndarray]) -> "KeyTransform":
        """Take over what `state` gave.

        Raises:
            ValueError: The arrays are not those of this transform.
        """
        if state:
            raise ValueError(
                f"{type(self).__name__} holds no state, but was given {', '.join(sorted(state))}"
            )
        return self


@KEY_TRANSFORMS.register_module()
class NoTransform(KeyTransform):
    """Keys as the encoder gives them."""

    def transform(self, keys: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(keys, np.float32)


@KEY_TRANSFORMS.register_module()
class MeanPool(KeyTransform):
    """Mean over a photo's tokens, as the key of an encoder that gives tokens only; must come first."""

    takes_tokens = True

    def transform(self, keys: np.ndarray) -> np.ndarray:
        """(N, m, d_r) tokens of any float type -> (N, d_r) float32; keys (N, d) that are pooled already pass."""
        if keys.ndim == 3:
            keys = keys.mean(axis=1, dtype=np.float32)
        return np.ascontiguousarray(keys, np.float32)


@KEY_TRANSFORMS.register_module()
class Normalise(KeyTransform):
    """Scale each key to length one."""

    def transform(self, keys: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(keys.astype(np.float64), axis=1, keepdims=True)
        if not np.all(length > 0):
            row = int(np.flatnonzero(~(length[:, 0] > 0))[0])
            raise ValueError(f"key {row} is zero or not a number and has no direction; leave that photo out")
        return (keys / length).astype(np.float32)


@KEY_TRANSFORMS.register_module()
class PCA(KeyTransform):
    """Project keys on the gallery's leading principal directions.

    Args:
        dim: Number of directions kept.
        whiten: Scale every direction to unit variance over the gallery.
    """

    def __init__(self, dim: int, whiten: bool = False) -> None:
        if dim < 1:
            raise ValueError(f"PCA needs dim of at least 1, not {dim}")
        self.dim = dim
        self.whiten = whiten
        self._mean: np.ndarray | None = None
        self._components: np.ndarray | None = None

    def output_dim(self, dim: int) -> int:
        if self.dim > dim:
            raise ValueError(f"PCA(dim={self.dim}) cannot shorten keys of length {dim}; take a smaller dim")
        return self.dim

    def fit(self, keys: np.ndarray) -> "PCA":
        count, width = keys.shape
        most = min(count - 1, width)
        if self.dim > most:
            raise ValueError(
                f"PCA(dim={self.dim}) cannot be fitted on {count} keys of length {width}: they span at most {most} "
                f"directions; take a smaller dim or a larger gallery"
            )
        mean = keys.mean(axis=0, dtype=np.float64)
        directions = _directions_by_covariance if width <= count else _directions_by_products
        components, variances = directions(keys, mean, self.dim)
        # a direction's sign is arbitrary: make its largest entry positive, so that equal galleries agree
        largest = np.abs(components).argmax(axis=1)
        components = components * np.sign(components[np.arange(self.dim), largest])[:, None]
        if self.whiten:
            floor = variances[0] * 1e-12 + np.finfo(np.float64).tiny
            components = components / np.sqrt(np.maximum(variances, floor))[:, None]
        self._mean, self._components = mean.astype(np.float32), components.astype(np.float32)
        return self

    def transform(self, keys: np.ndarray) -> np.ndarray:
        if self._mean is None:
            raise ValueError("PCA must be fitted on a gallery before it can transform keys")
        if keys.shape[1] != len(self._mean):
            raise ValueError(f"PCA was fitted on keys of length {len(self._mean)}, not {keys.shape[1]}")
        return ((keys - self._mean) @ self._components.T).astype(np.float32)

    def state(self) -> dict[str, np.ndarray]:
        return {} if self._mean is None else {"mean": self._mean, "components": self._components}

    def load_state(self, state: dict[str, np.ndarray]) -> "PCA":
        mean, components = state.get("mean"), state.get("components")
        if mean is None or components is None or components.shape != (self.dim, len(mean)):
            raise ValueError(f"this is not the state of PCA(dim={self.dim}); build the gallery again")
        self._mean, self._components = mean, components
        return self


def _directions_by_covariance(keys: np.ndarray, mean: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading directions (dim, d) and the variances (dim,) along them, from the d x d covariance of keys (n, d)."""
    covariance = np.zeros((len(mean), len(mean)))
    for start in range(0, len(keys), _CHUNK):  # float64 copies of a few rows at a time
        centred = keys[start : start + _CHUNK] - mean
        covariance += centred.T @ centred
    variances, vectors = np.linalg.eigh(covariance / (len(keys) - 1))
    return vectors.T[::-1][:dim], variances[::-1][:dim]


def _directions_by_products(keys: np.ndarray, mean: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """The same from the n x n products of the keys, which are fewer than the numbers in one of them.

    Directions along which the keys do not differ at all are zero: n keys do not say which ones they are.
    """
    centred = keys - mean
    squares, vectors = np.linalg.eigh(centred @ centred.T)
    squares, vectors = squares[::-1][:dim], vectors.T[::-1][:dim]
    spread = squares > squares[0] * 1e-12
    lengths = np.sqrt(np.where(spread, squares, np.inf))
    return (vectors @ centred) / lengths[:, None], np.where(spread, squares, 0) / (len(keys) - 1)


@KEY_TRANSFORMS.register_module()
class Compose(KeyTransform):
    """Several transforms, each fitted on what the ones before it give.

    Args:
        transforms: Configs or ready transforms, first to last.
    """

    def __init__(self, transforms: Sequence[dict | KeyTransform]) -> None:
        self.transforms = [t if isinstance(t, KeyTransform) else KEY_TRANSFORMS.build(t) for t in transforms]
        if any(t.takes_tokens for t in self.transforms[1:]):
            raise ValueError("MeanPool makes keys of tokens and must be the first of the key transforms")
        self.takes_tokens = bool(self.transforms) and self.transforms[0].takes_tokens

    def output_dim(self, dim: int) -> int:
        for transform in self.transforms:
            dim = transform.output_dim(dim)
        return dim

    def fit(self, keys: np.ndarray) -> "Compose":
        for transform in self.transforms:
            keys = transform.fit(keys).transform(keys)
        return self

    def transform(self, keys: np.ndarray) -> np.ndarray:
        for transform in self.transforms:
            keys = transform.transform(keys)
        return keys

    def state(self) -> dict[str, np.ndarray]:
        return {f"{i}.{name}": a for i, t in enumerate(self.transforms) for name, a in t.state().items()}

    def load_state(self, state: dict[str, np.ndarray]) -> "Compose":
        parts: list[dict[str, np.ndarray]] = [{} for _ in self.transforms]
        for name, array in state.items():
            index, _, rest = name.partition(".")
            if not index.isdigit() or int(index) >= len(parts):
                raise ValueError(f"{name!r} is no state of {len(parts)} transforms; build the gallery again")
            parts[int(index)][rest] = array
        for transform, part in zip(self.transforms, parts, strict=True):
            transform.load_state(part)
        return self


def build_key_transform(config: dict | Sequence[dict] | None) -> KeyTransform:
    """Make the transform a config asks for: one dict, a list of dicts (`Compose`), or None (`NoTransform`)."""
    if config is None:
        return NoTransform()
    if isinstance(config, dict):
        return KEY_TRANSFORMS.build(dict(config))
    return Compose(config)


def read_state(data: bytes) -> dict[str, np.ndarray]:
    """What a transform has learned, from the bytes of the ``.npz`` file it is kept in.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"damaged ({error})") from error


def raw_keys(keys: np.ndarray | None, tokens: np.ndarray | None, transform: KeyTransform) -> np.ndarray:
    """The keys (B, d) float32 that enter ``transform``: the encoder's, or its pooled tokens if it starts so."""
    if not transform.takes_tokens:
        return keys
    return tokens.mean(axis=1, dtype=np.float32)

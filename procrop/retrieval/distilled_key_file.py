"""The file of a distilled key encoder: weights, and whose keys they stand for."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from procrop.io.atomic import write_bytes

from .feature_store import FeatureStore
from .gallery_format import KEYS

if TYPE_CHECKING:
    from torch import Tensor

    from .gallery import Gallery

KIND, VERSION = "distilled keys", 1
# the only entry of the file's metadata: safetensors keeps no order among several, and equal work gives equal bytes
_ENTRY = "procrop"
_REMEDY = "make it again: python tools/distill_keys.py GALLERY --out {path} --overwrite"


class DistilledKeyFileError(ValueError):
    """A file that is absent, damaged, of another kind or of another version."""


@dataclass(frozen=True)
class KeySpace:
    """Where a gallery's indexed keys lie; keys of two encoders may be compared only if this is equal.

    Attributes:
        fingerprint: `Gallery.fingerprint`: encoder and kind of key transform.
        transform_sha256: Hash of what the key transform learned.
        metric: How keys are compared.
        key_dim: Length of a transformed key.
    """

    fingerprint: str
    transform_sha256: str
    metric: str
    key_dim: int

    @classmethod
    def of_gallery(cls, gallery: "Gallery") -> "KeySpace":
        """The space of a gallery's indexed keys; its encoder is not built."""
        raw = FeatureStore.open(gallery.folder / KEYS).read([0])
        width = gallery.key_transform.transform(raw).shape[1]
        return cls(gallery.fingerprint, state_sha256(gallery.key_transform.state()), gallery.metric, width)


def state_sha256(state: dict[str, np.ndarray]) -> str:
    """Hex SHA-256 over the names, types, shapes and values of a key transform's state."""
    digest = hashlib.sha256()
    for name in sorted(state):
        array = np.ascontiguousarray(state[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class DistilledKeys:
    """What the file holds.

    Attributes:
        network: Arguments of `KeyStudent`.
        image_size: Long side of a photo in pixels at the network's input.
        preprocessing: Version of the preprocessing.
        space: Whose keys they stand for.
        training: How it was made, as JSON values, for people.
        state: Weights of the `KeyStudent`.
    """

    network: dict
    image_size: int
    preprocessing: int
    space: KeySpace
    training: dict
    state: "dict[str, Tensor]"


def write_distilled_keys(path: str | os.PathLike, content: DistilledKeys) -> None:
    """Write the file (safetensors), atomically and without timestamps."""
    from safetensors.torch import save

    from .backbones.base import weights_sha256

    header = {name: value for name, value in content.__dict__.items() if name != "state"}
    header |= {"kind": KIND, "version": VERSION, "space": asdict(content.space)}
    header["weights_sha256"] = weights_sha256(content.state)
    state = {name: value.detach().cpu().contiguous() for name, value in content.state.items()}
    write_bytes(path, save(state, metadata={_ENTRY: json.dumps(header, sort_keys=True)}))


def read_distilled_keys(path: str | os.PathLike) -> DistilledKeys:
    """Read the file and verify its weights.

    Raises:
        DistilledKeyFileError: It is absent, damaged, of another kind or of another version.
    """
    from safetensors import SafetensorError, safe_open

    from .backbones.base import weights_sha256

    path = os.fspath(path)
    remedy = _REMEDY.format(path=path)
    if not os.path.isfile(path):
        raise DistilledKeyFileError(
            f"{path}: no such file; make it: {remedy.partition(': ')[2].removesuffix(' --overwrite')}"
        )
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})[_ENTRY])
            state = {name: file.get_tensor(name) for name in file.keys()}
        kind, version = header["kind"], header["version"]
    except (OSError, SafetensorError) as error:
        raise DistilledKeyFileError(f"{path}: damaged ({error}); {remedy}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DistilledKeyFileError(f"{path}: not a distilled key encoder of ProCrop; {remedy}") from error
    if (kind, version) != (KIND, VERSION):
        raise DistilledKeyFileError(
            f"{path}: {kind!r} of version {version}, but this program reads {KIND!r} of version {VERSION}; {remedy}"
        )
    try:
        if header["weights_sha256"] != weights_sha256(state):
            raise ValueError("its weights have changed since it was written")
        fields = {name: header[name] for name in ("network", "image_size", "preprocessing", "training")}
        return DistilledKeys(**fields, space=KeySpace(**header["space"]), state=state)
    except (ValueError, KeyError, TypeError) as error:
        raise DistilledKeyFileError(f"{path}: damaged ({error}); {remedy}") from error

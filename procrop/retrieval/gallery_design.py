"""What a gallery's content depends on beside its photos: encoders, key transform and their shapes."""

import json
from dataclasses import asdict, dataclass

from procrop.io.manifest import sha256_json

from .gallery_format import KEYS, TOKENS

_KNOWN = ("backbone", "token_backbone", "key_transform", "index")


@dataclass(frozen=True)
class GalleryDesign:
    """What decides, with the photos, every byte of a gallery; a part of its manifest.

    Attributes:
        retrieval: The retrieval config as `portable_config` gives it.
        maker: SHA-256 over what made the stored rows: equal photos of equal makers have equal rows.
        backbone_fingerprint: Of the encoder of keys.
        token_backbone_fingerprint: Of the encoder of tokens where it is another one, else None.
        metric: How keys are compared.
        key_dim: Length of a stored (raw) key.
        token_shape: (m, d_r) of a photo's tokens, or None.
        token_grid: (rows, columns) that they cover, or None.
    """

    retrieval: dict
    maker: str
    backbone_fingerprint: str
    token_backbone_fingerprint: str | None
    metric: str
    key_dim: int
    token_shape: tuple[int, int] | None
    token_grid: tuple[int, int] | None

    @property
    def fingerprint(self) -> str:
        """See `gallery_fingerprint`."""
        return gallery_fingerprint(
            self.backbone_fingerprint, self.retrieval["key_transform"], self.token_backbone_fingerprint
        )

    @property
    def stores(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Row shape and type of each feature store, by its name."""
        stores = {KEYS: ((self.key_dim,), "float32")}
        if self.token_shape is not None:
            stores[TOKENS] = (self.token_shape, "float16")
        return stores

    def to_json(self) -> dict:
        """Plain values for a manifest; what is absent is left out or null."""
        values = json.loads(json.dumps(asdict(self)))
        if self.token_backbone_fingerprint is None:
            del values["token_backbone_fingerprint"]
        return values

    @classmethod
    def from_json(cls, values: dict) -> "GalleryDesign":
        """Read back what `to_json` gave, among other values.

        Raises:
            KeyError: A value is missing.
        """
        shapes = {k: None if values[k] is None else tuple(values[k]) for k in ("token_shape", "token_grid")}
        plain = {k: values[k] for k in ("retrieval", "maker", "backbone_fingerprint", "metric", "key_dim")}
        return cls(token_backbone_fingerprint=values.get("token_backbone_fingerprint"), **plain, **shapes)


def gallery_fingerprint(
    backbone_fingerprint: str,
    key_transform: dict | list | None,
    token_backbone_fingerprint: str | None = None,
) -> str:
    """Fingerprint of what made keys and tokens: the encoders and the kind of key transform.

    What a transform has learned from one gallery stays out: a model takes any gallery made by the same encoder.
    The learned state is covered by the manifest's hash, which changes with every byte of the gallery.
    """
    made_by = {"backbone": backbone_fingerprint, "key_transform": key_transform}
    if token_backbone_fingerprint is not None:
        made_by["token_backbone"] = token_backbone_fingerprint
    return sha256_json(made_by)


def portable_config(retrieval: dict) -> dict:
    """The retrieval config as plain JSON values, without the device, dtype and batch size it ran with.

    Raises:
        ValueError: No encoder, or a key that means nothing.
    """
    unknown = sorted(set(retrieval) - set(_KNOWN))
    if unknown or not retrieval.get("backbone"):
        what = f"unknown key {unknown[0]!r}" if unknown else "no backbone"
        raise ValueError(f"retrieval config: {what}; it takes {', '.join(_KNOWN)}")
    config = json.loads(json.dumps({key: retrieval.get(key) for key in _KNOWN}))
    if not config["token_backbone"]:
        del config["token_backbone"]
    for encoder in ("backbone", "token_backbone"):
        for key in ("device", "dtype", "batch_size"):
            config.get(encoder, {}).pop(key, None)
    return config

"""The width and grid of a model's reference tokens, taken from the gallery it will be trained with."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from procrop.retrieval import Gallery

_NAMES = ("in_channels", "token_grid")


def fill_reference_shapes(cfg: Config) -> None:
    """Write ``in_channels`` and ``token_grid`` into every ReferenceEncoder of ``cfg.model`` that leaves them open.

    So another encoder or token grid is one line of a config (its ``_base_`` of retrieval), and the merged config,
    which a checkpoint carries, says what the model was built with.

    Raises:
        GalleryError: The gallery that the data names is missing or unfinished.
        ValueError: Nothing says the shape: the data names no gallery, or one without tokens.
    """
    model = cfg.get("model") or {}
    encoders = (model.get("context_encoders") or {}).values()
    left_open = [
        (encoder, [name for name in _NAMES if encoder.get(name) is None])
        for encoder in encoders
        if str(encoder.get("type")).rpartition(".")[2] == "ReferenceEncoder"
        and encoder.get("what") != "annotation"
    ]
    if not any(names for _, names in left_open):
        return
    shape = _gallery_shape(cfg)
    for encoder, names in left_open:
        for name in names:
            encoder[name] = shape[name]


def _gallery_shape(cfg: Config) -> dict[str, Any]:
    folder = next(_galleries([cfg.get(f"{split}_dataloader") for split in ("train", "val", "test")]), None)
    if folder is None:
        raise ValueError(
            "the model's ReferenceEncoder leaves in_channels or token_grid open, and no dataset of the config names a "
            "gallery to take them from; set both, or leave out context_encoders for a model without references"
        )
    gallery = Gallery.open(folder)
    if gallery.token_shape is None or gallery.token_grid is None:
        raise ValueError(
            f"{folder}: its encoder gives keys only, and the model needs tokens of references: "
            "add token_backbone=dict(type=...) to the retrieval config and build the gallery again"
        )
    return dict(in_channels=gallery.token_shape[1], token_grid=gallery.token_grid)


def _galleries(cfg: Any) -> Iterator[str]:  # noqa: ANN401 (any config value)
    """Gallery folders of the ``references`` anywhere below ``cfg``."""
    if isinstance(cfg, list | tuple):
        for part in cfg:
            yield from _galleries(part)
    elif isinstance(cfg, dict):
        if cfg.get("type") == "LoadReferences" and cfg.get("gallery"):
            yield cfg["gallery"]
        for part in cfg.values():
            yield from _galleries(part)

"""The shapes of a model's context tokens, taken from the gallery and the text folder it will be trained with."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mmengine.config import Config

from procrop.datasets.text import TextTable
from procrop.retrieval import Gallery


class _Source(NamedTuple):
    """Where an encoder's open arguments are to be found.

    Attributes:
        names: The arguments.
        step: Type of the pipeline step that names the folder.
        key: The step's argument that does.
        read: Folder to values of the arguments.
        missing: What a config without such a step is told.
    """

    names: tuple[str, ...]
    step: str
    key: str
    read: Callable[[str], dict[str, Any]]
    missing: str


def fill_context_shapes(cfg: Config) -> None:
    """Write the token shapes into every context encoder of ``cfg.model`` that leaves them open.

    A ReferenceEncoder gets ``in_channels`` and ``token_grid`` of the gallery, a TextContextEncoder ``in_channels`` of
    the text folder. So another encoder is one line of a config (its ``_base_`` of retrieval or of text), and the merged
    config, which a checkpoint carries, says what the model was built with.

    Raises:
        GalleryError: The gallery that the data names is missing or unfinished.
        TextTableError: The text folder is.
        ValueError: Nothing says the shape: the data names no gallery, or one without tokens, or no text folder.
    """
    for encoder in ((cfg.get("model") or {}).get("context_encoders") or {}).values():
        kind = str(encoder.get("type")).rpartition(".")[2]
        if kind not in _SOURCES or encoder.get("what") == "annotation":
            continue
        source = _SOURCES[kind]
        left_open = [name for name in source.names if encoder.get(name) is None]
        if left_open:
            folder = next(
                _folders([cfg.get(f"{s}_dataloader") for s in ("train", "val", "test")], source), None
            )
            if folder is None:
                raise ValueError(f"the model's {kind} leaves {source.missing}")
            shape = source.read(folder)
            encoder.update({name: shape[name] for name in left_open})


def _gallery_shape(folder: str) -> dict[str, Any]:
    gallery = Gallery.open(folder)
    if gallery.token_shape is None or gallery.token_grid is None:
        raise ValueError(
            f"{folder}: its encoder gives keys only, and the model needs tokens of references: "
            "add token_backbone=dict(type=...) to the retrieval config and build the gallery again"
        )
    return dict(in_channels=gallery.token_shape[1], token_grid=gallery.token_grid)


def _text_shape(folder: str) -> dict[str, Any]:
    return dict(in_channels=TextTable.open(folder).token_dim)


_SOURCES = {
    "ReferenceEncoder": _Source(
        ("in_channels", "token_grid"),
        "LoadReferences",
        "gallery",
        _gallery_shape,
        "in_channels or token_grid open, and no dataset of the config names a gallery to take them from; set both, or "
        "leave out context_encoders for a model without references",
    ),
    "TextContextEncoder": _Source(
        ("in_channels",),
        "LoadTextTokens",
        "folder",
        _text_shape,
        "in_channels open, and no dataset of the config names a text folder to take it from; set it, or take "
        "text_tokens out of context_encoders and of the fusion's contexts for a model without text",
    ),
}


def _folders(cfg: Any, source: _Source) -> Iterator[str]:  # noqa: ANN401 (any config value)
    """Folders that the steps of a source name anywhere below ``cfg``."""
    if isinstance(cfg, list | tuple):
        for part in cfg:
            yield from _folders(part, source)
    elif isinstance(cfg, dict):
        if cfg.get("type") == source.step and cfg.get(source.key):
            yield cfg[source.key]
        for part in cfg.values():
            yield from _folders(part, source)

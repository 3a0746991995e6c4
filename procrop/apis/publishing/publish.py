"""A trained model and its gallery as the folder that is published.

.. code-block:: text

    NAME.safetensors     weights (float16), config and retrieval fingerprint; runs without configs/
    gallery/             keys, tokens, index; thumbnails and credits in place of the photos
    ATTRIBUTION.md       title, author, licence and source of each photo
    README.md            the model card; written by people, and kept

Equal input gives equal bytes. Nothing in it names a place of the machine that made it.
"""

import getpass
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from procrop.engine.checkpoint import load_checkpoint_file, state_dict_of
from procrop.engine.config_text import checkpoint_config
from procrop.engine.published_weights import METADATA_KEY, pack_weights
from procrop.io.atomic import sync_folder, temporary_name, write_bytes, write_text
from procrop.retrieval import Gallery

from .attribution import attribution_page, credited_photos, licences_of
from .gallery_copy import SIDE, copy_gallery, sizes
from .half_precision import largest_difference
from .portable_config import places_in, portable, portable_settings

GALLERY, CARD, ATTRIBUTION = "gallery", "README.md", "ATTRIBUTION.md"
#: bytes
LIMITS = {"weights": 20_000_000, "keys and tokens": 4_000_000, "thumbnails": 6_000_000}
#: tokens of a photo, numbers of a token
MOST_TOKENS = (16, 64)
_TEXTS = (".json", ".jsonl", ".md")


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        folder: the folder.
        weights: the safetensors file.
        gallery: the gallery's folder.
        sizes: bytes of "weights", "keys and tokens" and "thumbnails".
        photos: in the gallery.
        licences: of the gallery's photos, as an SPDX expression.
        parameters: of the model.
        difference: how far predictions are from those of the checkpoint: "boxes" in shares of a side, "scores".
    """

    folder: Path
    weights: Path
    gallery: Path
    sizes: dict[str, int]
    photos: int
    licences: str
    parameters: int
    difference: dict[str, float]


def publish_model(
    checkpoint: str | os.PathLike,
    gallery: str | os.PathLike,
    name: str,
    out: str | os.PathLike,
    photos: str | os.PathLike | None = None,
) -> Published:
    """Publish a model.

    Args:
        checkpoint: the ``.pth`` file of its training.
        gallery: a gallery that it can read.
        name: the model's name.
        out: the folder; one of the same model is replaced, but for its README.md.
        photos: folder of the gallery's photos, with ``manifest.jsonl``; by default where the gallery notes it.

    Raises:
        ValueError: Something cannot be used, is over a limit (the message says by how much), or names a place of this
            machine; nothing is written then.
        OSError: The disk is full, or cannot be written.
    """
    out = Path(out)
    opened = Gallery.open(gallery, photo_root=photos)
    _check_tokens(opened)
    credited = credited_photos(opened.photo_root, opened.names)
    data, parameters = _weights(checkpoint, opened)
    with _replacing(out, name) as unfinished:
        weights, copied = unfinished / f"{name}.safetensors", unfinished / GALLERY
        write_bytes(weights, data)
        copy_gallery(opened, credited, copied)
        write_text(unfinished / ATTRIBUTION, attribution_page(name, credited, SIDE))
        found = dict(weights=len(data)) | sizes(copied)
        check_limits(found)
        check_places(unfinished)
        difference = largest_difference(checkpoint, weights, opened)
    return Published(
        out,
        out / weights.name,
        out / GALLERY,
        found,
        len(opened),
        licences_of(credited),
        parameters,
        difference,
    )


def _weights(checkpoint: str | os.PathLike, gallery: Gallery) -> tuple[bytes, int]:
    """The safetensors file, and the number of the model's parameters."""
    loaded = load_checkpoint_file(checkpoint)
    cfg = checkpoint_config(loaded, os.fspath(checkpoint))
    trained: dict[str, Any] = (loaded.get("meta") or {}).get(METADATA_KEY) or {}
    retrieval = portable(trained.get("retrieval"))
    if not retrieval or retrieval["fingerprint"] != gallery.fingerprint:
        raise ValueError(
            f"{checkpoint}: was not trained with references of the encoder of {gallery.folder}; build the gallery with "
            f"--retrieval {checkpoint}"
        )
    own = dict(
        version=trained.get("version"),
        config=Config(portable_settings(cfg.to_dict())).pretty_text,
        retrieval=retrieval,
        text=portable(trained.get("text")),
        gallery=GALLERY,
    )
    weights = state_dict_of(loaded, os.fspath(checkpoint))
    return pack_weights(weights, own), sum(w.numel() for name, w in weights.items() if _is_parameter(name, w))


def _is_parameter(name: str, weight: torch.Tensor) -> bool:
    """Whether a weight is counted: the statistics of a batch norm are none."""
    return weight.is_floating_point() and not name.endswith((".running_mean", ".running_var"))


def _check_tokens(gallery: Gallery) -> None:
    shape = gallery.token_shape
    if shape is None or any(n > most for n, most in zip(shape, MOST_TOKENS, strict=True)):
        raise ValueError(
            f"{gallery.folder}: has tokens {shape} a photo, and at most {MOST_TOKENS} are published; build it with "
            "configs/_base_/retrieval/subject_evidence.py"
        )


def check_limits(found: dict[str, int]) -> None:
    """Raise a ValueError if something takes more bytes than it may."""
    for what, most in LIMITS.items():
        if found[what] > most:
            raise ValueError(
                f"the {what} take {found[what]:,} bytes, {found[what] - most:,} more than the limit of {most:,}"
            )


def check_places(folder: Path) -> None:
    """Raise a ValueError if a text in a folder, or the metadata of its weights, names a place of this machine."""
    names = (socket.gethostname(), getpass.getuser())
    for path in sorted(folder.rglob("*")):
        text = ""
        if path.suffix in _TEXTS and path.name != CARD:
            text = path.read_text(encoding="utf-8")
        elif path.suffix == ".safetensors":
            own = load_checkpoint_file(path)["meta"][METADATA_KEY]
            text = "\n".join([own["config"], json.dumps({**own, "config": None})])
        if found := places_in(text, names):
            raise ValueError(
                f"{path.relative_to(folder)}: names {found[0]!r}, a place of this machine; write paths in the config "
                "relative to the checkout"
            )


@contextmanager
def _replacing(out: Path, name: str) -> Iterator[Path]:
    """A folder to write in; it takes the place of ``out`` when the block ends without an error."""
    known = {f"{name}.safetensors", GALLERY, CARD, ATTRIBUTION}
    foreign = sorted({path.name for path in out.iterdir()} - known) if out.is_dir() else []
    if foreign or (out.exists() and not out.is_dir()):
        raise ValueError(
            f"{out}: holds {foreign or 'no folder'}, nothing that is published; name another folder"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished, old = temporary_name(out), temporary_name(out).with_suffix(".old")
    before = sorted(out.parent.glob(f".{out.name}.*.old"))
    if before and not out.exists():  # a run was killed between the two renames
        os.replace(before.pop(), out)
    for leftover in (unfinished, *before):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished.mkdir()
    try:
        if (out / CARD).is_file():
            shutil.copyfile(out / CARD, unfinished / CARD)
        yield unfinished
        os.sync()
        if out.exists():
            os.replace(out, old)
        os.replace(unfinished, out)
        sync_folder(out.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        if old.exists() and not out.exists():
            os.replace(old, out)
    shutil.rmtree(old, ignore_errors=True)

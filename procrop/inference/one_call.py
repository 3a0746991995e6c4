"""Crops with one call, for a notebook or a script of a few lines."""

import os
from collections.abc import Iterable
from dataclasses import fields
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procrop.inference.crop_request import CropRequest
from procrop.inference.crop_result import CropResult

if TYPE_CHECKING:
    from procrop.inference.crop_inferencer import CropInferencer
    from procrop.inference.photo_intake import Photo

CHECKPOINT_VARIABLE = "PROCROP_CHECKPOINT"
#: the model that comes with the package, and is taken where none is named
DEFAULT_MODEL = "procrop-lite"


def crop(
    photo: "Photo | Iterable[Photo]",
    *,
    ratio: str | None = None,
    top_k: int = 3,
    checkpoint: str | os.PathLike | None = None,
    gallery: str | os.PathLike | None = None,
    device: str | None = None,
    **request_fields: Any,  # noqa: ANN401
) -> CropResult | list[CropResult]:
    """Crop a photo, or several.

    The model stays in memory for the next call. Use :class:`CropInferencer` for a folder, or to ask several things of
    one photo.

    Args:
        photo: a file, an (H, W, 3) uint8 RGB array, a PIL image, or an iterable of them.
        ratio: width / height as text, e.g. "1:1", "16:9", "original"; None leaves the shape to the model.
        top_k: crops per photo.
        checkpoint: a trained model, as for :func:`find_model`.
        gallery: the gallery to take references from, as for :func:`find_model`.
        device: as for :class:`CropInferencer`.
        **request_fields: other fields of :class:`CropRequest`, e.g. ``min_area=0.5`` or ``subject=(10, 20, 300, 200)``.

    Returns:
        The result; for several photos a list, in their order. A photo that cannot be cropped gives a result with
        ``rejected``.

    Raises:
        ValueError: the checkpoint cannot be found, or the model cannot give what is asked for.
        TypeError: an argument has an unknown name, or a photo is none.

    Example::

        from procrop import crop

        result = crop("holiday.jpg", ratio="1:1")
        print(result.boxes[0], result.scores[0], [ref.name for ref in result.references])
        square = result.cut(0)  # (h, w, 3) uint8
    """
    request = _request(dict(ratio=ratio, top_k=top_k) | request_fields)
    inferencer = _inferencer(*find_model(checkpoint, gallery), device)
    from procrop.inference.photo_intake import PHOTO_TYPES

    if isinstance(photo, PHOTO_TYPES):
        return inferencer.crop(photo, request=request)
    return list(inferencer.stream(photo, request))


def _request(given: dict[str, Any]) -> CropRequest:
    known = [field.name for field in fields(CropRequest)]
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise TypeError(f"crop() has no argument {name!r}; {remedy}")
    return CropRequest(**given)


def find_model(
    checkpoint: str | os.PathLike | None = None, gallery: str | os.PathLike | None = None
) -> tuple[Path, Path | None]:
    """The checkpoint and the gallery that are meant.

    Args:
        checkpoint: a file, or a name of ``procrop models list``; None takes what the environment variable
            PROCROP_CHECKPOINT names, and without it procrop-lite, which comes with the package.
        gallery: a folder, or the name of a model whose gallery is meant; None takes that of the model.

    Returns:
        The checkpoint and the gallery's folder; None for the gallery that the checkpoint itself names, or for none.

    Raises:
        ValueError: it cannot be found or fetched, or is not the one that was published (ModelZooError, DownloadError).
    """
    from procrop.model_zoo import ModelZooError, read_zoo, resolve_model

    checkpoint = checkpoint or os.environ.get(CHECKPOINT_VARIABLE) or DEFAULT_MODEL
    if checkpoint == DEFAULT_MODEL and DEFAULT_MODEL not in read_zoo().models:
        raise ModelZooError(
            f"this copy of procrop comes without {DEFAULT_MODEL}: install it again, name a trained checkpoint, or set "
            f"the environment variable {CHECKPOINT_VARIABLE} to one"
        )
    return resolve_model(checkpoint, gallery)


def _inferencer(checkpoint: Path, gallery: Path | None, device: str | None) -> "CropInferencer":
    return _opened(checkpoint, checkpoint.stat().st_mtime_ns, gallery, device)


@lru_cache(maxsize=2)
def _opened(
    checkpoint: Path,
    changed: int,  # noqa: ARG001 (a file that was replaced is another model)
    gallery: Path | None,
    device: str | None,
) -> "CropInferencer":
    from procrop.inference.crop_inferencer import CropInferencer

    return CropInferencer(checkpoint, gallery, device)

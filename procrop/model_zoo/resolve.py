"""From what a user names, a model or a path, to files on this machine."""

import os
from pathlib import Path

from .download import obtain
from .errors import ModelZooError
from .metafile import ModelZoo, read_zoo
from .model_entry import ModelEntry

_WEIGHTS_SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")


def resolve_checkpoint(
    name_or_path: str | os.PathLike, download: bool = True, zoo: ModelZoo | None = None
) -> Path:
    """The checkpoint that is meant: a file that exists, else the weights of the model of that name.

    Args:
        name_or_path: a file, or a name of ``procrop models list``.
        download: whether weights that are not here may be fetched into the cache.
        zoo: the models; by default those of the package and of PROCROP_METAFILE.

    Raises:
        ModelZooError: There is neither; the message names what is near, or how to train such a model.
        DownloadError: The weights cannot be fetched.
        MetafileError: A metafile cannot be used.
    """
    path = Path(name_or_path)
    if path.exists():
        return path
    return obtain(_named(name_or_path, zoo, "checkpoint").weights, download)


def resolve_gallery(
    name_or_path: str | os.PathLike, download: bool = True, zoo: ModelZoo | None = None
) -> Path:
    """The folder of the gallery that is meant: a folder that exists, else the gallery of the model of that name.

    Args and errors are as for :func:`resolve_checkpoint`; a model without references has no gallery.
    """
    path = Path(name_or_path)
    if path.exists():
        return path
    model = _named(name_or_path, zoo, "gallery")
    if model.gallery is None:
        raise ModelZooError(f"{model.name} has no gallery: it works without references")
    return obtain(model.gallery, download)


def resolve_model(
    checkpoint: str | os.PathLike, gallery: str | os.PathLike | None = None
) -> tuple[Path, Path | None]:
    """Checkpoint and gallery that belong together.

    Args:
        checkpoint: a file, or a model's name.
        gallery: a folder, or the name of a model whose gallery is meant; None takes that of the named model, and leaves
            it to a checkpoint that is given as a file.

    Returns:
        The checkpoint and the gallery's folder; None for the gallery that the checkpoint itself names, or for none.

    Raises:
        ModelZooError, DownloadError, MetafileError: As for :func:`resolve_checkpoint`.
    """
    weights = resolve_checkpoint(checkpoint)
    if gallery is not None:
        return weights, resolve_gallery(gallery)
    if Path(checkpoint).exists():
        return weights, None
    model = read_zoo().model(os.fspath(checkpoint))
    return weights, None if model.gallery is None else obtain(model.gallery)


def _named(name: str | os.PathLike, zoo: ModelZoo | None, what: str) -> ModelEntry:
    text = os.fspath(name)
    zoo = zoo or read_zoo()
    # most galleries are folders of one's own, so a name that is no model's is taken for one that is not there
    looks_like_path = os.sep in text or text.endswith(_WEIGHTS_SUFFIXES) or what == "gallery"
    if looks_like_path and text not in zoo.models:
        remedy = "name what exists, or a model of `procrop models list`"
        if what == "gallery":
            remedy += f"; or make it: procrop gallery build {text} --photos PHOTOS --retrieval CHECKPOINT"
        raise ModelZooError(f"{text}: there is no such {what}; {remedy}")
    return zoo.model(text)

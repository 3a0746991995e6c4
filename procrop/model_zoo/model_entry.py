"""What a metafile says of one model, as plain values."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PublishedFile:
    """A file, or a folder of a gallery, that belongs to a model.

    Attributes:
        model: the model's name; the folder's name in caches and mirrors.
        what: "weights" or "gallery", for messages.
        location: as the metafile has it: ``package:PATH``, a URL (http, https, file), or a path, relative to the
            metafile's folder.
        sha256: hex SHA-256 of the file; of a gallery that lies there as a folder, that of its ``manifest.json``.
        size: bytes; of a folder, of all files in it.
        license: licence of the file, as an SPDX identifier or in words.
        metafile: the file that says all this.
    """

    model: str
    what: str
    location: str
    sha256: str
    size: int
    license: str
    metafile: Path


@dataclass(frozen=True)
class GalleryFile(PublishedFile):
    """The gallery that a model takes its references from: a folder, or a zip archive of one.

    Attributes:
        source: where its photos come from.
        photos: how many there are.
        folder: the gallery's folder (the one with ``manifest.json``) inside the archive or the folder.
    """

    source: str = ""
    photos: int = 0
    folder: str = "."


@dataclass(frozen=True)
class Result:
    """Figures of one test: task, dataset, and value by metric, under the names that ``tools/test.py`` prints."""

    task: str
    dataset: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class ModelEntry:
    """A trained model that can be had.

    Attributes:
        name: how it is asked for.
        collection: the family that it belongs to.
        config: its config in this project's sources.
        training_data: names of the data sets it was trained on.
        weights: the checkpoint.
        gallery: the gallery; None for a model without references.
        results: what it was measured to do.
        metadata: all of ``Metadata``.
    """

    name: str
    collection: str
    config: str
    training_data: tuple[str, ...]
    weights: PublishedFile
    gallery: GalleryFile | None = None
    results: tuple[Result, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """Weights, and gallery where there is one."""
        return (self.weights,) if self.gallery is None else (self.weights, self.gallery)


@dataclass(frozen=True)
class Recipe:
    """A config without published weights: what it needs, and the commands that train it."""

    name: str
    collection: str
    config: str
    training_data: tuple[str, ...]
    training: tuple[str, ...]
    note: str = ""

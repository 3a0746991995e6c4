"""Retrieval encoders side by side: the neighbours that each finds, and how far query and neighbours agree."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from procrop.evaluation.photo_composition import PhotoComposition
from procrop.io import PhotoError, list_photos, progress, read_photo
from procrop.retrieval import Gallery, GalleryItem, build_gallery
from procrop.retrieval.own_photos import own_photo_ids

# gallery photos that a query is compared with for the floor: an even spread of so many, or all
_FLOOR_PHOTOS = 200


@dataclass
class QueryResult:
    """What the encoders found for a query.

    Attributes:
        name: The query's name.
        path: Its file.
        neighbours: Per encoder (name in the gallery, similarity as the index gives it), nearest first.
        agreement: Per encoder (k', 2): agreement in line orientation and in subject position with each neighbour;
            NaN where a photo cannot be read any more.
        floor: (2,) mean of both over random gallery photos, the query's own source left out.
        own: Names in the gallery of the query itself and of what shares its source.
    """

    name: str
    path: Path
    neighbours: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    agreement: dict[str, np.ndarray] = field(default_factory=dict)
    floor: np.ndarray = field(default_factory=lambda: np.full(2, np.nan))
    own: set[str] = field(default_factory=set)


@dataclass
class Comparison:
    """A finished comparison.

    Attributes:
        photo_root: Folder of the gallery's photos.
        k: Neighbours wanted.
        queries: Results of the queries that could be read, in the order given.
        photos: Per encoder, gallery photos that it could use.
        metrics: Per encoder, how its keys are compared.
        rejected: Reason per query and gallery photo that could not be used.
    """

    photo_root: Path
    k: int
    queries: list[QueryResult] = field(default_factory=list)
    photos: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)

    @property
    def encoders(self) -> list[str]:
        """Names of the encoders, in the order given."""
        return list(self.photos)


def list_queries(inputs: Sequence[str | os.PathLike]) -> list[QueryResult]:
    """The photos of files and folders, each once; a named file is taken whatever its suffix.

    Raises:
        PhotoError: A folder holds no photo.
    """
    queries: dict[str, QueryResult] = {}
    for name in inputs:
        root = Path(name)
        paths = list_photos(root) if root.is_dir() else [root]
        for path in paths:
            shown = path.relative_to(root).as_posix() if root.is_dir() else path.name
            queries.setdefault(os.path.abspath(path), QueryResult(shown, path))
    return list(queries.values())


def even_subset(items: Sequence, number: int | None) -> list:
    """``number`` of the items, evenly spread from the first to the last; all of them if there are no more."""
    if number is None or number >= len(items):
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, number).round().astype(int)]


def compare(
    photo_root: str | os.PathLike,
    queries: Sequence[QueryResult],
    encoders: Mapping[str, dict],
    out: str | os.PathLike,
    k: int = 5,
    max_photos: int | None = None,
    device: str | None = None,
    workers: int = 2,
) -> Comparison:
    """Build a gallery per encoder, search it with every query, and measure agreement in composition.

    A gallery lies in ``out/galleries/<name>``; one that is there and up to date is used as it is. A query that lies
    in the gallery finds neither itself, nor a copy, nor anything of its source.

    Args:
        photo_root: Folder of the gallery's photos.
        queries: What `list_queries` gives.
        encoders: Name to ``retrieval`` config; see `read_encoders`.
        out: Folder to write to.
        k: Neighbours per query.
        max_photos: An even spread of so many gallery photos is taken, the same for every encoder; None takes all.
        device: Torch device of the encoders; None leaves it to their configs.
        workers: Threads that read photos.

    Raises:
        ValueError: A number below 1, no query that can be read, or what `build_gallery` refuses.
    """
    for name, value in (("k", k), ("max_photos", max_photos)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    result = Comparison(Path(photo_root), k)
    paths = even_subset(list_photos(photo_root), max_photos)
    compositions = _measure_queries(queries, result)
    for number, (name, retrieval) in enumerate(encoders.items(), 1):
        # neighbours are compared, which only the keys decide
        retrieval = {**retrieval, "backbone": dict(retrieval["backbone"]), "token_backbone": None}
        if device:
            retrieval["backbone"]["device"] = device
        step = f"{name} ({number} of {len(encoders)})"
        print(f"gallery of {step}", file=sys.stderr, flush=True)
        items = [GalleryItem(path) for path in paths]
        gallery = build_gallery(Path(out, "galleries", name), items, retrieval, photo_root, workers=workers)
        gallery.backbone(device)
        for query in progress(result.queries, desc=f"searching {step}"):
            _search(gallery, name, query, k)
        result.photos[name], result.metrics[name] = len(gallery), gallery.metric
        result.rejected.update((f"gallery photo {r['name']}", r["reason"]) for r in gallery.rejected)
    _measure_neighbours(result, compositions, paths)
    return result


def _measure_queries(queries: Sequence[QueryResult], result: Comparison) -> list[PhotoComposition]:
    """Sort queries into those that can be read, with their composition, and the rejected ones."""
    compositions = []
    for query in progress(queries, desc="reading queries"):
        try:
            compositions.append(PhotoComposition.of(read_photo(query.path)))
            result.queries.append(query)
        except PhotoError as error:
            result.rejected[f"query {query.name}"] = error.reason
    if not result.queries:
        first = next(iter(result.rejected.values()), "none was given")
        raise ValueError(f"none of {len(queries)} queries can be used (first: {first})")
    return compositions


def _search(gallery: Gallery, encoder: str, query: QueryResult, k: int) -> None:
    own = own_photo_ids(gallery, query.path)
    query.own.update(gallery.names[i] for i in own)
    ids, scores = gallery.search_keys(gallery.query_keys([read_photo(query.path)]), k, own.tolist())
    query.neighbours[encoder] = [
        (gallery.names[i], float(score)) for i, score in zip(ids[0], scores[0], strict=True)
    ]


def _measure_neighbours(
    result: Comparison, compositions: Sequence[PhotoComposition], paths: Sequence[Path]
) -> None:
    """Fill in the agreement of every query with its neighbours, and the floor."""
    names = [os.path.relpath(path, result.photo_root).replace(os.sep, "/") for path in paths]
    floor = even_subset(names, _FLOOR_PHOTOS)
    found = {name for query in result.queries for near in query.neighbours.values() for name, _ in near}
    measured: dict[str, PhotoComposition | None] = {}
    for name in progress(sorted(found.union(floor)), desc="measuring agreement"):
        try:
            measured[name] = PhotoComposition.of(read_photo(result.photo_root / name))
        except PhotoError:  # rejected by the gallery, or gone since it was built
            measured[name] = None
    for query, own in zip(result.queries, compositions, strict=True):
        for encoder, near in query.neighbours.items():
            query.agreement[encoder] = _agreements(own, [measured[name] for name, _ in near])
        others = [m for name in floor if name not in query.own and (m := measured[name]) is not None]
        if others:
            query.floor = _agreements(own, others).mean(axis=0)


def _agreements(query: PhotoComposition, others: Sequence[PhotoComposition | None]) -> np.ndarray:
    """(n, 2) agreement in line orientation and in subject position; NaN for None."""
    rows = [(np.nan, np.nan) if other is None else query.agreement(other) for other in others]
    return np.array(rows, np.float64).reshape(-1, 2)

"""The references that a photo is tried with: retrieved ones, other photos' ones, random ones, none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from procrop.datasets.transforms import LoadReferences
from procrop.datasets.transforms.pack import pack_references
from procrop.io import progress, read_photo
from procrop.registry import TRANSFORMS
from procrop.retrieval import Gallery, NeighbourTable
from procrop.retrieval.controls import random_table, rescored_table, shuffled_table
from procrop.retrieval.neighbour_table import NeighbourTableError
from procrop.retrieval.own_photos import own_photo_ids

#: kinds of references in the order of the report; the last one is another model's
KINDS = ("retrieved", "shuffled", "random", "none", "twin")
_CHUNK = 32


@dataclass(frozen=True)
class Condition:
    """References of one kind.

    Attributes:
        name: Names the file of its predictions, e.g. "shuffled_seed0".
        kind: One of ``KINDS``.
        loader: Finds a photo's references; None where it gets none.
    """

    name: str
    kind: str
    loader: LoadReferences | None = None

    def references(self, img_id: str) -> InstanceData | None:
        """References of a photo, as a CropDataSample holds them."""
        return None if self.loader is None else pack_references(self.loader.transform({"img_id": img_id}))


def make_conditions(
    settings: Mapping[str, object],
    photos: Sequence[Mapping],
    gallery: Gallery,
    folder: Path,
    seeds: Sequence[int],
    true_similarity: bool = False,
) -> list[Condition]:
    """Write a neighbour table for each kind and seed, and make the loaders that read them.

    Shuffled references are those of a photo of another source. Neither they nor random ones hold the photo itself or
    anything of its source. Each control gives a photo as many references as retrieval does, where it can.

    Args:
        settings: The dataset's ``references``: a LoadReferences with gallery and table.
        photos: ``img_id``, ``source_id`` and ``img_path`` of the photos, at least two.
        gallery: The gallery of these settings.
        folder: Where to put the tables.
        seeds: One shuffle and one random draw for each.
        true_similarity: Give shuffled and random references their true similarity to the photo, for which the photos
            are encoded. Otherwise they keep the similarities of the row they take: only the pictures change.

    Raises:
        NeighbourTableError: A photo is not in the table, or it belongs to another gallery.
        ValueError: The photos come from too few sources to be shuffled.
    """
    table = _rows_of(
        NeighbourTable.open(settings["table"], gallery),
        [photo["img_id"] for photo in photos],
        int(settings.get("k", 10)),
    )
    keys = _keys(gallery, photos) if true_similarity else None
    barred = _own_ids(gallery, photos)
    sources = [photo["source_id"] for photo in photos]

    def condition(name: str, kind: str, table: NeighbourTable) -> Condition:
        path = folder / f"{name}.npz"
        table.save(path)
        with DefaultScope.overwrite_default_scope("procrop"):
            loader = TRANSFORMS.build({**settings, "table": str(path), "drop_prob": 0.0})
        return Condition(name, kind, loader)

    conditions = [condition("retrieved", "retrieved", table)]
    for seed in seeds:
        shuffled = shuffled_table(table, table.query_ids, seed, sources, barred)
        if keys is not None:
            shuffled = rescored_table(shuffled, gallery, keys)
        conditions.append(condition(f"shuffled_seed{seed}", "shuffled", shuffled))
    for seed in seeds:
        drawn = random_table(table, gallery, keys, seed, barred)
        conditions.append(condition(f"random_seed{seed}", "random", drawn))
    return [*conditions, Condition("none", "none")]


def _rows_of(table: NeighbourTable, names: Sequence[str], k: int) -> NeighbourTable:
    """The table of these queries alone, cut to k neighbours."""
    if k > table.k:
        table.lookup(table.query_ids[0], k)  # says what to do
    rows = {name: row for row, name in enumerate(table.query_ids)}
    missing = [name for name in names if name not in rows]
    if missing:
        raise NeighbourTableError(
            f"{table.path}: {len(missing)} of {len(names)} photos are not in it, such as {missing[0]!r}; build it "
            "again: python tools/neighbours.py CONFIG"
        )
    wanted = [rows[name] for name in names]
    return replace(table, query_ids=list(names), ids=table.ids[wanted, :k], scores=table.scores[wanted, :k])


def _own_ids(gallery: Gallery, photos: Sequence[Mapping]) -> Callable[[str], np.ndarray]:
    """Query id to the gallery photos that are the query or of its source."""
    own = {
        photo["img_id"]: np.union1d(
            gallery.ids_of([photo["source_id"]]), own_photo_ids(gallery, photo["img_path"])
        )
        for photo in photos
    }
    return own.__getitem__


def _keys(gallery: Gallery, photos: Sequence[Mapping]) -> np.ndarray:
    """(Q, d) keys of the photos, by the gallery's encoder."""
    encoder, keys = gallery.query_encoder, []
    for start in progress(range(0, len(photos), _CHUNK), desc="encoding photos"):
        images = [encoder.prepare(read_photo(photo["img_path"])) for photo in photos[start : start + _CHUNK]]
        keys.append(gallery.query_keys(images))
    return np.concatenate(keys)

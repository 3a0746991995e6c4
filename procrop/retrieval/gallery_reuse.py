"""Rows of photos that an earlier build has encoded already, wherever these photos stood in its list."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from .gallery_format import GalleryError
from .gallery_shards import ShardFolder, read_shard_table


class EncodedPhoto(NamedTuple):
    """Where a photo's rows are.

    Attributes:
        shards: Folder of the shard.
        name: The shard.
        row: The photo's row in it.
        width: Width of the upright photo in pixels.
        height: Height of the upright photo in pixels.
    """

    shards: ShardFolder
    name: str
    row: int
    width: int
    height: int


class EncodedPhotos:
    """Finds a photo's rows by what its file holds, among shards of one maker.

    Args:
        shards: (folder, shard name), the preferred ones first; shards of another maker and damaged ones are passed
            over.
        maker: `GalleryDesign.maker` that the rows must have.
    """

    def __init__(self, shards: Iterable[tuple[ShardFolder, str]], maker: str) -> None:
        self._places: dict[str, list[EncodedPhoto]] = {}
        self._plans: dict[tuple[ShardFolder, str], str] = {}
        self._intact: dict[tuple[ShardFolder, str], bool] = {}
        for folder, name in shards:
            try:
                table = read_shard_table(folder.folder, name)
            except (OSError, GalleryError):
                continue
            if table.maker != maker:
                continue
            self._plans[folder, name] = table.plan
            for row, record in enumerate(table.records):
                place = EncodedPhoto(folder, name, row, record.width, record.height)
                self._places.setdefault(record.sha256, []).append(place)

    def find(self, sha256: str | None) -> EncodedPhoto | None:
        """Where the rows of a photo with that file hash are; None when it was never encoded."""
        for place in self._places.get(sha256 or "", ()):
            shard = place.shards, place.name
            if shard not in self._intact:
                self._intact[shard] = place.shards.find(self._plans[shard]) is not None
            if self._intact[shard]:
                return place
        return None

    def rows(self, place: EncodedPhoto, stores: Iterable[str]) -> dict[str, np.ndarray]:
        """Copies of a photo's row in each feature store."""
        return {store: np.array(place.shards.rows(place.name, store)[place.row]) for store in stores}

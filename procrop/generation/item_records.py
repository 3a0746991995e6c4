"""The finished items: a photo and a record each, written in this order, so that a record means both are there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from procrop.io.atomic import atomic_write, write_json
from procrop.io.manifest import sha256_file

from .result_store import folder_of

ANNOTATIONS, IMAGES, ITEMS = "annotations.jsonl", "images", "work/items"


@dataclass(frozen=True)
class ItemRecord:
    """What became of an item.

    Attributes:
        key: Its name.
        made_from: Fingerprint of all that it hangs on.
        photo_sha256: Of the source photo's file; None where it cannot be read.
        row: What the dataset says of it, as JSON values; None where it was dropped.
        image_sha256: Of its finished photo.
        dropped: (step, reason) where it was dropped.
        whole_source: It was dropped with all expansions of its source photo.
        again: The step that dropped it wants to be asked again in every run.
    """

    key: str
    made_from: str
    photo_sha256: str | None
    row: Mapping[str, Any] | None = None
    image_sha256: str | None = None
    dropped: tuple[str, str] | None = None
    whole_source: bool = False
    again: bool = False


class ItemFolder:
    """The records and photos of a dataset in the making.

    Args:
        root: The dataset's folder.
        quality: JPEG quality of photos; chroma is not subsampled.
    """

    def __init__(self, root: Path, quality: int) -> None:
        self.root, self.quality = root, quality

    def image_path(self, key: str) -> Path:
        """Where an item's photo is."""
        return self.root / IMAGES / f"{key}.jpg"

    def record_path(self, key: str) -> Path:
        """Where an item's record is."""
        return self.root / ITEMS / folder_of(key) / f"{key}.json"

    def read(self, key: str) -> ItemRecord | None:
        """The record of an item, or None where there is none that can be read."""
        try:
            values = json.loads(self.record_path(key).read_bytes())
            if values["dropped"] is not None:
                values["dropped"] = tuple(values["dropped"])
            return ItemRecord(**values)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def is_whole(self, record: ItemRecord) -> bool:
        """Whether the photo that a record tells of is there, byte for byte."""
        if record.row is None:
            return True
        try:
            return sha256_file(self.image_path(record.key)) == record.image_sha256
        except OSError:
            return False

    def commit(self, record: ItemRecord, image: np.ndarray | None) -> ItemRecord:
        """Write an item: its photo (height, width, 3) uint8 RGB where it has one, then its record.

        An older photo of the item goes with all annotations: they tell of boxes in a picture that is there no longer,
        and a run that ends before it writes new ones must not leave them for a training to read.
        """
        path = self.image_path(record.key)
        if path.exists():
            (self.root / ANNOTATIONS).unlink(missing_ok=True)
        if image is None:
            path.unlink(missing_ok=True)
        else:
            with atomic_write(path) as file:
                Image.fromarray(image).save(file, "JPEG", quality=self.quality, subsampling=0)
            record = ItemRecord(**{**vars(record), "image_sha256": sha256_file(path)})
        write_json(self.record_path(record.key), vars(record))
        return record

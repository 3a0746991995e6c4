"""The finished items: a photo and a record each, written in this order, so that a record means both are there."""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from procrop.io.atomic import json_bytes, write_bytes, write_json, write_many
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
            data = self._jpeg(image)
            write_bytes(path, data)
            record = replace(record, image_sha256=sha256(data).hexdigest())
        write_json(self.record_path(record.key), vars(record))
        return record

    def commit_together(self, made: Iterable[tuple[ItemRecord, np.ndarray | None]]) -> None:
        """Write new items as `commit` does, but wait for the disk twice in all: for photos, then for records."""
        photos, records = {}, []
        for record, image in made:
            if image is not None:
                photos[self.image_path(record.key)] = data = self._jpeg(image)
                record = replace(record, image_sha256=sha256(data).hexdigest())
            records.append(record)
        old = [path for r in records if (path := self.image_path(r.key)).exists()]
        if old:
            (self.root / ANNOTATIONS).unlink(missing_ok=True)
        for path in old:
            path.unlink()
        write_many(photos.items())
        write_many((self.record_path(r.key), json_bytes(vars(r))) for r in records)

    def _jpeg(self, image: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=self.quality, subsampling=0)
        return buffer.getvalue()

"""One source photo through all steps, to the finished items of its expansions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from procrop.io.manifest import sha256_file, sha256_json
from procrop.io.photo import PhotoError, read_photo

from .chain import StepChain
from .errors import GenerationError
from .item import CADItem
from .item_records import ItemFolder, ItemRecord
from .item_row import item_row
from .result_store import KeptResult, ResultStore
from .settings import GenerationSettings, build_steps
from .source_photos import SourcePhoto
from .step import DropItem

# the name under which a photo that cannot be read is reported
READING = "reading"
# raise when items come out otherwise for reasons that no step's fingerprint knows
_VERSION = 1
_IDENTITY = ("source_id", "variant", "path", "licence")


class ItemMaker:
    """Makes items, and keeps what is worth keeping.

    Args:
        settings: The generation.
        root: The dataset's folder.

    Raises:
        GenerationError: As `build_steps`.
    """

    def __init__(self, settings: GenerationSettings, root: Path) -> None:
        self.settings = settings
        self.chain = StepChain(build_steps(settings.steps), settings.seed)
        self.items = ItemFolder(root, settings.quality)
        self.stores = {
            number: ResultStore(root / "work" / self.chain.names[number])
            for number, step in enumerate(self.chain.steps)
            if step.kept
        }

    def keys(self, photo: SourcePhoto) -> list[str]:
        """Names of a photo's items."""
        return [f"{photo.id}_{variant}" for variant in range(self.settings.expansions)]

    def made_from(self, photo: SourcePhoto, photo_sha256: str | None) -> str:
        """Fingerprint of all that a photo's items hang on."""
        about = [photo.source_id, photo.name, photo.collection, vars(photo.credit)]
        made_with = [self.chain.fingerprint, self.settings.quality, _VERSION]
        return sha256_json([photo_sha256, about, made_with])

    def up_to_date(self, key: str, photo: SourcePhoto, photo_sha256: str | None) -> ItemRecord | None:
        """The record of a finished item, if it is what would be made now."""
        record = self.items.read(key)
        if record is None or record.again or record.made_from != self.made_from(photo, photo_sha256):
            return None
        return record if self.items.is_whole(record) else None

    def make(self, photo: SourcePhoto) -> tuple[int, int]:
        """Make the items of a photo that are not there yet.

        Returns:
            How many items were made now, and how many there are. What a step was asked again and dropped again, for
            the same reason, was not made.

        Raises:
            ValueError: A step cannot work on the item; the message names both.
            OSError: A full disk, for one; what is finished is kept.
        """
        try:
            photo_sha256 = sha256_file(photo.path)
        except OSError:
            photo_sha256 = None
        missing = [
            n for n, key in enumerate(self.keys(photo)) if not self.up_to_date(key, photo, photo_sha256)
        ]
        if not missing:
            return 0, self.settings.expansions
        keys = [self.keys(photo)[n] for n in missing]
        before = [self.items.read(key) for key in keys]
        self._make(photo, photo_sha256, missing)
        same = [r is not None and r.again and r == self.items.read(r.key) for r in before]
        return len(missing) - sum(same), self.settings.expansions

    def close(self) -> None:
        """Close all steps."""
        for step in self.chain.steps:
            step.close()

    def _make(self, photo: SourcePhoto, photo_sha256: str | None, missing: list[int]) -> None:
        made_from, keys = self.made_from(photo, photo_sha256), self.keys(photo)
        prints = {"photo": str(photo_sha256)}
        base = CADItem(photo.id, 0, str(photo.path), photo.credit.licence)
        step = READING
        try:
            base = base.with_(photo=read_photo(photo.path))
            for number in self.chain.once:
                step = self.chain.names[number]
                base = self._run(number, base, prints)
        except (PhotoError, DropItem) as error:
            why, again = (step, error.reason), getattr(error, "again", False)
            for n in missing:
                record = ItemRecord(keys[n], made_from, photo_sha256, None, None, why, True, again)
                self.items.commit(record, None)
            return
        for n in missing:
            self._make_one(photo, base.with_(variant=n), dict(prints), made_from)

    def _make_one(self, photo: SourcePhoto, item: CADItem, prints: dict[str, str], made_from: str) -> None:
        step, sha256 = "", prints["photo"]
        try:
            for number in self.chain.each:
                step = self.chain.names[number]
                item = self._run(number, item, prints)
        except DropItem as error:
            why = step, error.reason
            record = ItemRecord(item.key, made_from, sha256, None, None, why, again=error.again)
            self.items.commit(record, None)
            return
        row = item_row(item, photo, sha256, self.chain)
        self.items.commit(ItemRecord(item.key, made_from, sha256, row), item.image)

    def _run(self, number: int, item: CADItem, prints: dict[str, str]) -> CADItem:
        """Do a step, or take what it made before; notes the fingerprints of its fields in ``prints``."""
        chain, store = self.chain, self.stores.get(number)
        step, inputs = chain.steps[number], chain.inputs(number, prints)
        draw = chain.draw(number, item.source_id, item.variant)
        key = item.source_id if step.per_source else item.key
        result = store.get(key, inputs, draw) if store else None
        if result is None:
            result = self._result(number, item)
            if store and not result.again:
                store.put(key, inputs, draw, result)
        made_of = sha256_json([inputs, draw if result.drew else None])
        prints.update((name, made_of) for name in step.makes)
        if result.dropped is not None:
            raise DropItem(result.dropped, result.again)
        return item.with_(**result.fields)

    def _result(self, number: int, item: CADItem) -> KeptResult:
        """Do a step on an item that shows it what it needs and no more."""
        step, name = self.chain.steps[number], self.chain.names[number]
        rng = self.chain.rng(number, item.source_id, item.variant)
        before = _state(rng)
        shown = {field: getattr(item, field) for field in (*_IDENTITY, *self.chain.needs(number))}
        try:
            made, dropped, again = step.run(CADItem(**shown), rng), None, False
        except DropItem as error:
            made, dropped, again = None, error.reason, error.again
        except ValueError as error:
            raise GenerationError(f"{name} on {item.key} ({item.path}): {error}") from error
        fields = {} if made is None else {field: getattr(made, field) for field in step.makes}
        return KeptResult(fields, dropped, _state(rng) != before, again)


def _state(rng: np.random.Generator) -> Mapping[str, Any]:
    return rng.bit_generator.state

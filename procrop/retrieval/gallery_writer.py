"""Encoding a gallery's photos into shards, so that a killed build goes on where it was."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType

import numpy as np

from procrop.io.manifest import sha256_json
from procrop.io.photo import PhotoError, read_photo
from procrop.io.progress import progress

from .gallery_design import GalleryDesign
from .gallery_encoders import GalleryEncoders
from .gallery_format import KEYS, TOKENS, PhotoRecord
from .gallery_plan import PlannedPhoto, normalised_crops
from .gallery_reuse import EncodedPhotos
from .gallery_shards import ShardFolder, ShardTable

# a photo's record with its rows per feature store, or why it cannot be used
_Outcome = tuple[PhotoRecord, dict[str, np.ndarray]] | str
# what the encoders are given of a photo
_Prepared = tuple[np.ndarray, ...]


class ShardWriter:
    """Writes shards of planned photos; a context manager around the threads that read the photos.

    Args:
        target: Where shards are written.
        plans: All photos of the gallery, in the order of their ids.
        encoders: What encodes them.
        design: ``encoders.design()``.
        shard_size: Photos per shard. The slices are the same whoever writes them.
        workers: Threads that read photos.
    """

    def __init__(
        self,
        target: ShardFolder,
        plans: Sequence[PlannedPhoto],
        encoders: GalleryEncoders,
        design: GalleryDesign,
        shard_size: int,
        workers: int,
    ) -> None:
        self.target, self.encoders, self.design = target, encoders, design
        self.shards = [plans[i : i + shard_size] for i in range(0, len(plans), shard_size)]
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def sign(self, numbers: Iterable[int]) -> dict[int, str]:
        """The plan of each of these shards: a hash over the encoders, the photos' files and their annotations."""
        numbers = list(numbers)
        plans = [plan for number in numbers for plan in self.shards[number]]
        for _ in progress(self._pool.map(PlannedPhoto.hash_photo, plans), len(plans), "hashing"):
            pass
        return {
            n: sha256_json([self.design.maker, [plan.signature() for plan in self.shards[n]]])
            for n in numbers
        }

    def write(self, signed: dict[int, str], known: EncodedPhotos, total: int, desc: str = "encoding") -> None:
        """Write shards.

        Args:
            signed: Number and plan of each shard, as `sign` gives them.
            known: Photos that need not be encoded again.
            total: Photos of this process, those of shards that are there already included, for the progress bar.
            desc: What the bar is called.
        """
        places = {n: [known.find(plan.sha256) for plan in self.shards[n]] for n in signed}
        new = [
            plan
            for n in signed
            for plan, place in zip(self.shards[n], places[n], strict=True)
            if place is None
        ]
        loaded = progress(self._load_ahead(new), total=total, desc=desc, initial=total - len(new))
        for number, plan in signed.items():
            outcomes: list[_Outcome] = []
            encoded = self._encoded(islice(loaded, places[number].count(None)))
            for photo, place in zip(self.shards[number], places[number], strict=True):
                if place is None:
                    outcomes.append(next(encoded))
                else:
                    outcomes.append(
                        _outcome(photo, place.width, place.height, known.rows(place, self.design.stores))
                    )
            self._write_shard(number, plan, outcomes)
        # lets the bar end at its total
        next(loaded, None)

    def _load_ahead(self, plans: Sequence[PlannedPhoto]) -> Iterator[tuple[PlannedPhoto, tuple | str]]:
        """Load photos in order, a chunk at a time, so that memory does not grow with the gallery.

        The next chunk is read during the encoding of this one only if that runs elsewhere: readers beside a network on
        the same cores make its threads wait for one another, which costs more than it hides.
        """
        waiting: deque[list[tuple[PlannedPhoto, Future]]] = deque()
        size = self.encoders.chunk
        for start in range(0, len(plans), size):
            chunk = plans[start : start + size]
            waiting.append([(plan, self._pool.submit(self._load, plan)) for plan in chunk])
            if len(waiting) > int(self.encoders.on_accelerator):
                yield from _results(waiting.popleft())
        for chunk in waiting:
            yield from _results(chunk)

    def _load(self, plan: PlannedPhoto) -> tuple[_Prepared, int, int] | str:
        """Read a photo and bring it to working size at once; a reason in words when that cannot be done."""
        try:
            photo = read_photo(plan.item.path)
            height, width = photo.shape[:2]
            if plan.stamp != plan.current_stamp():
                return "the photo has changed since the build began; build the gallery again"
            return self.encoders.prepare(photo), width, height
        except PhotoError as error:
            return error.reason
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", None) or str(error)

    def _encoded(self, loaded: Iterable[tuple[PlannedPhoto, tuple | str]]) -> Iterator[_Outcome]:
        """Encode photos chunk by chunk, one outcome per photo, in order: a resumed build repeats the same batches."""
        chunk: list[tuple[PlannedPhoto, tuple | str]] = []
        for entry in loaded:
            chunk.append(entry)
            if sum(not isinstance(result, str) for _, result in chunk) == self.encoders.chunk:
                yield from self._encode(chunk)
                chunk = []
        yield from self._encode(chunk)

    def _encode(self, chunk: list[tuple[PlannedPhoto, tuple | str]]) -> Iterator[_Outcome]:
        usable = [result[0] for _, result in chunk if not isinstance(result, str)]
        keys, tokens = self.encoders.encode(usable) if usable else (None, None)
        row = 0
        for plan, result in chunk:
            if isinstance(result, str):
                yield result
                continue
            _, width, height = result
            rows = {KEYS: keys[row]} if tokens is None else {KEYS: keys[row], TOKENS: tokens[row]}
            yield _unusable(rows, self.design.metric) or _outcome(plan, width, height, rows)
            row += 1

    def _write_shard(self, number: int, plan: str, outcomes: list[_Outcome]) -> None:
        table = ShardTable(plan, self.design.maker)
        rows: dict[str, list[np.ndarray]] = {store: [] for store in self.design.stores}
        for photo, outcome in zip(self.shards[number], outcomes, strict=True):
            if isinstance(outcome, str):
                table.rejected.append((photo.name, outcome))
                continue
            record, found = outcome
            table.records.append(record)
            for store, values in rows.items():
                values.append(found[store])
        stacked = {
            store: np.array(rows[store], dtype).reshape(-1, *shape)
            for store, (shape, dtype) in self.design.stores.items()
        }
        self.target.write(table, stacked)


def _outcome(plan: PlannedPhoto, width: int, height: int, rows: dict[str, np.ndarray]) -> _Outcome:
    """A photo's record with its rows; a reason when its annotations cannot be used."""
    try:
        crops, scores = normalised_crops(plan.item, width, height)
    except ValueError as error:
        return str(error)
    return PhotoRecord(plan.name, plan.source_id, width, height, plan.sha256 or "", crops, scores), rows


def _unusable(rows: dict[str, np.ndarray], metric: str) -> str | None:
    """Why a photo's embedding cannot be used, or None."""
    if not all(np.isfinite(values).all() for values in rows.values()):
        return "the encoder gives NaN or infinite values for it"
    if metric == "cosine" and not rows[KEYS].any():
        return "the encoder gives it an all-zero key, which has no cosine"
    return None


def _results(chunk: list[tuple[PlannedPhoto, Future]]) -> list[tuple[PlannedPhoto, tuple | str]]:
    """What became of a chunk, once all of it is read."""
    return [(plan, future.result()) for plan, future in chunk]

"""What every process that takes part in a build does: hash, read, caption and encode what is missing."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from procrop.io.manifest import sha256_json
from procrop.io.photo import PhotoError, read_photo
from procrop.io.progress import progress

from .captions import Caption
from .chunks import ChunkFolder, ChunkTable, KnownTokens, Made, makers
from .drafts import Drafts
from .planned import PlannedPhoto, captions_in, check_makers, distinct_photos, previous_manifest
from .text_format import BUILD, NOT_FINITE, PARTS, VERSION, TextPhoto, TextTableError

if TYPE_CHECKING:  # encoders are made by whoever builds; models stand above datasets
    from procrop.models.text import TextEncoder

# photos that are read, captioned and encoded together: what a kill can cost of captions
STEP = 16
# what became of reading a photo: (H, W, 3) uint8 RGB as the encoder prepared it, or why it cannot be used
_Loaded = np.ndarray | str


class TextWork:
    """A process's work on a text folder. The text is cut into chunks of photos, the same whoever makes them.

    Args:
        folder: The text folder.
        photos: All photos, in the order of the dataset.
        encoder: What writes captions and encodes.
        target: Where this process writes; None is ``folder``.
        rebuild: Whether tokens of another encoder may be replaced.
        chunk_size: Photos per chunk: what a kill can cost of tokens.
        workers: Threads that read photos.

    Attributes:
        captions: What ``captions.jsonl`` holds.
        generated: Captions that the caption model has written for this build.
        captioned: How many of these this process has generated itself.
        encoded: How many photos it has encoded.

    Raises:
        TextTableError: No photo, a name used twice, a caption that cannot be used, or another encoder than before.
    """

    def __init__(
        self,
        folder: Path,
        photos: Iterable[TextPhoto],
        encoder: "TextEncoder",
        target: Path | None = None,
        rebuild: bool = False,
        chunk_size: int = 256,
        workers: int = 2,
    ) -> None:
        if chunk_size < 1 or workers < 1:
            raise ValueError(f"chunk_size and workers must be at least 1, not {chunk_size} and {workers}")
        self.folder, self.encoder, self.rebuild = folder, encoder, rebuild
        self.photos = distinct_photos(photos)
        self.chunks = [self.photos[i : i + chunk_size] for i in range(0, len(self.photos), chunk_size)]
        self.target = ChunkFolder(target or folder)
        self.captions = captions_in(folder)
        folders = chunk_folders(folder)
        check_makers(folder, makers(folders), encoder.fingerprint, rebuild)
        self._known = KnownTokens(reversed(folders), encoder.fingerprint)
        self._drafts = {}
        for place in folders:
            self._drafts.update(Drafts(place.folder, encoder.caption_fingerprint).read())
        self._writer = Drafts(self.target.folder, encoder.caption_fingerprint)
        self._workers = workers
        self.generated: dict[str, Caption] = {}
        self.captioned = self.encoded = 0

    def run(self, numbers: Iterable[int]) -> dict[int, ChunkTable]:
        """Make the chunks that are nowhere yet; all of them, by number.

        Raises:
            TextTableError: Captions of two models would be mixed.
            OSError: The disk is full; what is finished is kept.
        """
        planned = {n: [self._settle(PlannedPhoto(photo)) for photo in self.chunks[n]] for n in numbers}
        self._hash([p for n in planned for p in planned[n] if self.encoder.needs_photo or not p.settled])
        for n in planned:
            planned[n] = [self._from_drafts(p) for p in planned[n]]
        tables = {n: self._find(planned[n]) for n in planned}
        missing = {n: planned[n] for n in planned if tables[n] is None}
        if any(not p.settled for photos in missing.values() for p in photos):
            self._check_caption_model()
        total = sum(map(len, planned.values()))
        done = total - sum(map(len, missing.values()))
        for _ in progress(self._make(missing, tables), total, "text", initial=done):
            pass
        return tables

    def _settle(self, planned: PlannedPhoto) -> PlannedPhoto:
        """Fill in what is known without a look at the photo."""
        planned.caption = self.captions.get(planned.photo.id)
        if planned.caption is None and self.encoder.caption_fingerprint is None:
            name = type(self.encoder).__name__
            planned.reason = f"has no caption, and {name} writes none: give one with --captions FILE"
        return planned

    def _hash(self, planned: Sequence[PlannedPhoto]) -> None:
        with ThreadPoolExecutor(self._workers) as pool:
            for _ in progress(pool.map(PlannedPhoto.hash_file, planned), len(planned), "hashing"):
                pass

    def _from_drafts(self, planned: PlannedPhoto) -> PlannedPhoto:
        """Fill in what a killed build, or another process, has had generated."""
        key = planned.photo.id, planned.sha256
        if not planned.settled and key in self._drafts:
            text, planned.reason = self._drafts[key]
            self._take_draft(planned, text)
        return planned

    def _take_draft(self, planned: PlannedPhoto, text: str | None) -> None:
        planned.drafted = True
        if text is not None:
            planned.caption = self.generated[planned.photo.id] = Caption(text, "generated")

    def _check_caption_model(self) -> None:
        """Refuse to mix captions of two models, unless that is wanted."""
        before = (previous_manifest(self.folder) or {"extra": {}})["extra"].get("caption_fingerprint")
        if before in (None, self.encoder.caption_fingerprint) or self.rebuild:
            return
        if any(caption.source == "generated" for caption in self.captions.values()):
            raise TextTableError(
                f"{self.folder}: its captions were generated by another caption model (fingerprint {before[:12]}), and "
                f"some photos have none: restore that model, delete captions.jsonl to have all generated anew, or have "
                f"the new model write the missing ones: {BUILD} --rebuild"
            )

    def _plan(self, planned: Sequence[PlannedPhoto]) -> str:
        by_photo = self.encoder.needs_photo
        photos = [[p.photo.id, p.caption_hash, p.sha256 if by_photo else None] for p in planned]
        return sha256_json([VERSION, self.encoder.fingerprint, photos])

    def _find(self, planned: Sequence[PlannedPhoto]) -> ChunkTable | None:
        """The chunk, if it is there already and intact."""
        if not all(p.settled for p in planned):
            return None
        plan = self._plan(planned)
        # parts first: chunks move from there into the folder
        return next(filter(None, (place.find(plan) for place in chunk_folders(self.folder))), None)

    def _make(
        self, missing: dict[int, list[PlannedPhoto]], tables: dict[int, ChunkTable | None]
    ) -> Iterator[PlannedPhoto]:
        """Make chunks; yields each photo when it is dealt with. The next step's photos are read meanwhile."""
        steps = [
            (n, photos[i : i + STEP]) for n, photos in missing.items() for i in range(0, len(photos), STEP)
        ]
        rows: dict[str, np.ndarray] = {}
        with ThreadPoolExecutor(self._workers) as pool:
            try:
                ahead = self._read_ahead(pool, steps[0][1]) if steps else {}
                for i, (n, step) in enumerate(steps):
                    loaded = {img_id: future.result() for img_id, future in ahead.items()}
                    ahead = self._read_ahead(pool, steps[i + 1][1]) if i + 1 < len(steps) else {}
                    self._caption(missing[n], step, loaded)
                    rows.update(self._encode(step, loaded))
                    if i + 1 == len(steps) or steps[i + 1][0] != n:
                        tables[n], rows = self._write(missing[n], rows), {}
                    yield from step
            finally:
                pool.shutdown(cancel_futures=True)

    def _read_ahead(self, pool: ThreadPoolExecutor, step: Sequence[PlannedPhoto]) -> dict[str, Future]:
        """Begin to read the photos that must be looked at."""
        wanted = [
            p
            for p in step
            if not p.settled or (p.reason is None and self.encoder.needs_photo and self._rows(p) is None)
        ]
        return {p.photo.id: pool.submit(self._load, p) for p in wanted}

    def _load(self, planned: PlannedPhoto) -> _Loaded:
        if planned.current_stamp() != planned.stamp:
            return "its file has changed since the build began; build again"
        try:
            return self.encoder.prepare(read_photo(planned.photo.path))
        except PhotoError as error:
            return error.reason
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", None) or str(error)

    def _caption(
        self, chunk: Sequence[PlannedPhoto], step: Sequence[PlannedPhoto], loaded: dict[str, _Loaded]
    ) -> None:
        """Have captions generated for the photos of a step that have none, and keep them."""
        new = [p for p in step if not p.settled]
        for p in step:
            if isinstance(why := loaded.get(p.photo.id), str):
                p.reason = why
        usable = [p for p in new if p.reason is None]
        texts = self.encoder.caption([loaded[p.photo.id] for p in usable]) if usable else []
        for p, text in zip(usable, texts, strict=True):
            if not text.strip():
                p.reason = "the caption model wrote nothing about it"
            self._take_draft(p, text.strip() or None)
        self.captioned += sum(p.caption is not None for p in usable)
        for p in new:
            p.drafted = True
        if new:
            drafted = [p for p in chunk if p.drafted]
            found = {(p.photo.id, p.sha256): (p.caption and p.caption.text, p.reason) for p in drafted}
            self._writer.write([p.photo.id for p in chunk], found)

    def _encode(self, step: Sequence[PlannedPhoto], loaded: dict[str, _Loaded]) -> dict[str, np.ndarray]:
        """Tokens of the photos of a step that can have some; only those that were never encoded are encoded."""
        usable = [p for p in step if p.reason is None]
        rows = {p.photo.id: found for p in usable if (found := self._rows(p)) is not None}
        new = [p for p in usable if p.photo.id not in rows]
        if not new:
            return rows
        images = [loaded[p.photo.id] if self.encoder.needs_photo else None for p in new]
        encoded = self.encoder.encode(images, [p.caption.text for p in new])
        for p, tokens in zip(new, encoded, strict=True):
            self._check(tokens)
            if np.isfinite(tokens).all():
                rows[p.photo.id] = tokens
            else:
                p.reason = NOT_FINITE
        self.encoded += len(new)
        return rows

    def _rows(self, planned: PlannedPhoto) -> np.ndarray | None:
        """Tokens of a photo that an earlier build has made of the same caption and file."""
        photo = planned.sha256 if self.encoder.needs_photo else None
        return self._known.find(planned.photo.id, planned.caption_hash, photo)

    def _check(self, tokens: np.ndarray) -> None:
        most, dim = self.encoder.max_tokens, self.encoder.token_dim
        if tokens.dtype != np.float16 or tokens.shape[1:] != (dim,) or not 1 <= len(tokens) <= most:
            raise ValueError(
                f"{type(self.encoder).__name__} gives tokens {tokens.dtype} {tokens.shape} and not float16 (m', {dim}) "
                f"with m' from 1 to {most}"
            )

    def _write(self, chunk: Sequence[PlannedPhoto], rows: dict[str, np.ndarray]) -> ChunkTable:
        """Write a chunk that is complete."""
        table = ChunkTable(self._plan(chunk), self.encoder.fingerprint)
        for p in chunk:
            if p.reason is not None:
                table.rejected.append((p.photo.id, p.reason))
            else:
                photo = p.sha256 if self.encoder.needs_photo else None
                table.made.append(Made(p.photo.id, p.caption_hash, photo, len(rows[p.photo.id])))
        empty = np.zeros((0, self.encoder.token_dim), np.float16)
        self.target.write(table, np.concatenate([empty, *(rows[made.id] for made in table.made)]))
        return table


def chunk_folders(folder: str | os.PathLike) -> list[ChunkFolder]:
    """All folders of a text folder in the making that may hold chunks; the folder itself last, for they move there."""
    parts = Path(folder) / PARTS
    found = sorted(path for path in parts.iterdir() if path.is_dir()) if parts.is_dir() else []
    return [*(ChunkFolder(path) for path in found), ChunkFolder(folder)]


def find_chunk(folder: Path, table: ChunkTable) -> ChunkFolder | None:
    """Where a chunk is."""
    places = (place for place in chunk_folders(folder) if place.find(table.plan) is not None)
    return next(places, None)

"""A gallery of reference photos: look up neighbours, tokens, photos and crops."""

import json
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from procrop.io.manifest import ManifestError, read_manifest, sha256_file, sha256_json
from procrop.registry import INDEXES, RETRIEVAL_BACKBONES

from .backbones.base import RetrievalBackbone
from .feature_store import FeatureStore, FeatureStoreError
from .gallery_credits import has_thumbnails, read_gallery_credits, thumbnail_name
from .gallery_format import (
    CREDITS_FILE,
    INDEX_FILE,
    KEYS,
    KIND,
    REJECTED_FILE,
    TOKENS,
    TRANSFORM_FILE,
    VERSION,
    GalleryError,
    PhotoCredit,
    PhotoRecord,
)
from .gallery_info import describe_gallery
from .gallery_shards import read_shard_table
from .gallery_verify import verify_gallery
from .indexes.base import VectorIndex
from .key_transforms import KeyTransform, build_key_transform, read_state
from .query_encoder import checked_query_encoder, indexed_keys

# names, source ids or integer ids: one collection, or one per query
Exclude = Iterable[str | int] | Sequence[Iterable[str | int]] | None


class Gallery:
    """Source photos, their tokens and the index over their keys, read from one folder.

    Ids are rows of the photo table, 0 to ``len(self) - 1``, int64. Index, encoder and memory maps are opened
    when first needed; pickling carries the folder's name only, so a gallery may go into data loader workers.
    """

    def __init__(self, folder: Path, manifest: dict, records: list[PhotoRecord], photo_root: Path) -> None:
        self.folder = folder
        self.manifest = manifest
        self.records = records
        self.photo_root = photo_root
        self._device: str | None = None
        self._query_encoder: RetrievalBackbone | None = None

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike,
        verify: bool = False,
        expect_fingerprint: str | None = None,
        photo_root: str | os.PathLike | None = None,
    ) -> "Gallery":
        """Open a finished gallery.

        Args:
            folder: The gallery.
            verify: Check every byte and every photo first (slow).
            expect_fingerprint: Fingerprint the gallery must have, e.g. the one a model was trained with.
            photo_root: Where the photos are, when they were moved; None takes the place noted at the build.

        Raises:
            GalleryError: It is absent, unfinished, damaged, of another version, or made by another encoder.
        """
        folder = Path(folder)
        try:
            manifest = read_manifest(folder, KIND, VERSION)
        except ManifestError as error:
            raise GalleryError(
                f"{error} (procrop gallery build {folder} --photos DIR --retrieval CONFIG)"
            ) from error
        if expect_fingerprint not in (None, manifest["fingerprint"]):
            raise GalleryError(
                f"{folder}: made by another encoder or key transform (fingerprint {manifest['fingerprint'][:12]}, "
                f"wanted {expect_fingerprint[:12]}); build the gallery with the retrieval config of the model"
            )
        try:
            records = [
                r for name in manifest["extra"]["shards"] for r in read_shard_table(folder, name).records
            ]
        except FileNotFoundError as error:
            raise GalleryError(f"{error.filename}: missing; build the gallery again") from error
        noted = os.path.normpath(folder.resolve() / manifest["extra"]["photo_root"])
        gallery = cls(folder, manifest, records, Path(photo_root if photo_root is not None else noted))
        try:
            gallery._check_counts()
        except FeatureStoreError as error:
            raise GalleryError(str(error)) from error
        if verify and (problems := gallery.verify()):
            raise GalleryError(
                f"{folder}: {len(problems)} problem(s), first: {problems[0]}; repair it with procrop gallery build"
            )
        return gallery

    def _check_counts(self) -> None:
        counts = {
            "the manifest": self.manifest["extra"]["photos"],
            "keys": len(FeatureStore.open(self.folder / KEYS)),
        }
        if self.token_shape is not None:
            counts["tokens"] = len(self._tokens)
        for what, number in counts.items():
            if number != len(self):
                raise GalleryError(
                    f"{self.folder}: {len(self)} photos in the table, but {number} in {what}; build the gallery again"
                )

    def __reduce__(self) -> tuple:
        opened = self.folder, False, None, self.photo_root
        return type(self).open, opened, {"_query_encoder": self._query_encoder}

    def __len__(self) -> int:
        return len(self.records)

    @property
    def fingerprint(self) -> str:
        """What made keys and tokens: encoder and kind of key transform; equal for galleries of different photos."""
        return self.manifest["fingerprint"]

    @cached_property
    def content_sha256(self) -> str:
        """Hash of the manifest and so of every byte of the gallery."""
        return sha256_json(self.manifest)

    @property
    def retrieval_cfg(self) -> dict:
        """The retrieval config it was built with (``backbone``, ``key_transform``, ``index``, and ``token_backbone``
        where the tokens come from another encoder), as plain values."""
        return self.manifest["extra"]["retrieval"]

    @property
    def metric(self) -> str:
        """How keys are compared."""
        return self.manifest["extra"]["metric"]

    @property
    def token_shape(self) -> tuple[int, int] | None:
        """(m, d_r) of a photo's tokens, or None."""
        shape = self.manifest["extra"]["token_shape"]
        return None if shape is None else tuple(shape)

    @property
    def token_grid(self) -> tuple[int, int] | None:
        """(rows, columns) that the tokens cover, row-major from the top left, or None."""
        grid = self.manifest["extra"]["token_grid"]
        return None if grid is None else tuple(grid)

    @cached_property
    def names(self) -> list[str]:
        """Each photo's path relative to the photo folder."""
        return [record.name for record in self.records]

    @property
    def source_ids(self) -> list[str]:
        """Each photo's source."""
        return [record.source_id for record in self.records]

    @cached_property
    def rejected(self) -> list[dict[str, str]]:
        """Photos set aside by the build: name and reason."""
        try:
            lines = (self.folder / REJECTED_FILE).read_text(encoding="ascii").splitlines()
            return [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise GalleryError(
                f"{self.folder / REJECTED_FILE}: damaged ({error}); build the gallery again"
            ) from error

    def photo_path(self, photo_id: int) -> Path:
        """Where photo ``photo_id`` is; in a gallery that carries thumbnails, where its thumbnail is.

        Raises:
            IndexError: No such id.
        """
        name = self.records[self._checked([photo_id])[0]].name
        return self.photo_root / (thumbnail_name(name) if has_thumbnails(self.manifest) else name)

    def credit(self, photo_id: int) -> PhotoCredit:
        """Whose photo ``photo_id`` is; all None in a gallery that does not say.

        Raises:
            IndexError: No such id.
            GalleryError: The gallery's file of credits is damaged.
        """
        return self._credits.get(self.records[self._checked([photo_id])[0]].name, PhotoCredit())

    @cached_property
    def _credits(self) -> dict[str, PhotoCredit]:
        listed = CREDITS_FILE in self.manifest["files"]
        return read_gallery_credits(self._checked_file(CREDITS_FILE)) if listed else {}

    def _checked(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        ids = np.asarray(ids, np.int64).reshape(-1)
        bad = ids[(ids < 0) | (ids >= len(self))]
        if bad.size:
            raise IndexError(f"{self.folder}: no photo {bad[0]}; the gallery holds {len(self)}")
        return ids

    @cached_property
    def _tokens(self) -> FeatureStore:
        return FeatureStore.open(self.folder / TOKENS)

    def tokens(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Tokens (n, m, d_r) float16 of photos ``ids`` (n,).

        Raises:
            GalleryError: The encoder gives no tokens.
            IndexError: No such id.
        """
        if self.token_shape is None:
            raise GalleryError(f"{self.folder}: its encoder gives keys only; take one that gives tokens")
        return self._tokens.read(self._checked(ids))

    @cached_property
    def max_crops(self) -> int:
        """Most annotated crops that any photo has; 0 without annotations."""
        return max((len(record.crops or ()) for record in self.records), default=0)

    def crops(self, ids: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Annotated crops of photos ``ids`` (n,), padded to c = ``max_crops``.

        Returns:
            crops (n, c, 4) float32 normalised cxcywh, scores (n, c) float32 in the annotators' units and
            mask (n, c) bool with True = absent; padding is zero. None when the gallery has no annotations.
        """
        ids, most = self._checked(ids), self.max_crops
        if not most:
            return None
        boxes = np.zeros((len(ids), most, 4), np.float32)
        scores = np.zeros((len(ids), most), np.float32)
        mask = np.ones((len(ids), most), bool)
        for i, record in enumerate(self.records[photo_id] for photo_id in ids):
            n = len(record.crops or ())
            if n:
                boxes[i, :n], scores[i, :n], mask[i, :n] = record.crops, record.scores, False
        return boxes, scores, mask

    @cached_property
    def index(self) -> VectorIndex:
        """The index over the transformed keys; its file is compared with the manifest when it is opened.

        Raises:
            GalleryError: It is damaged, or the index of another gallery.
        """
        config = self.retrieval_cfg["index"] or {"type": "FaissIndex"}
        try:
            index = INDEXES.get(config["type"]).open(self._checked_file(INDEX_FILE))
        except ValueError as error:
            raise GalleryError(str(error)) from error
        if len(index) != len(self):
            raise GalleryError(
                f"{self.folder / INDEX_FILE}: {len(index)} keys for {len(self)} photos; build the gallery again"
            )
        return index

    @cached_property
    def key_transform(self) -> KeyTransform:
        """The transform with what it learned at the build; its file's checksum is verified."""
        path = self._checked_file(TRANSFORM_FILE)
        try:
            transform = build_key_transform(self.retrieval_cfg["key_transform"])
            return transform.load_state(read_state(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise GalleryError(f"{path}: {error}; build the gallery again") from error

    def _checked_file(self, name: str) -> Path:
        """The path of a file whose bytes are those that the manifest lists."""
        path = self.folder / name
        try:
            same = sha256_file(path) == self.manifest["files"][name]["sha256"]
        except OSError as error:
            raise GalleryError(
                f"{path}: cannot be read ({error.strerror}); build the gallery again"
            ) from error
        if not same:
            raise GalleryError(
                f"{path}: its bytes have changed since the gallery was built, or it belongs to another gallery; "
                f"build the gallery again"
            )
        return path

    def backbone(self, device: str | None = None) -> RetrievalBackbone:
        """The encoder that made the keys, and makes those of queries; built from the manifest, kept for the next call.

        Raises:
            GalleryError: The encoder has changed since (other weights or preprocessing).
        """
        if "_backbone" not in self.__dict__ or (device is not None and device != self._device):
            config = dict(self.retrieval_cfg["backbone"])
            if device is not None:
                config["device"] = device
            backbone = RETRIEVAL_BACKBONES.build(config)
            if backbone.fingerprint != self.manifest["extra"]["backbone_fingerprint"]:
                raise GalleryError(
                    f"{self.folder}: {config['type']} now has other weights or preprocessing than when this gallery "
                    f"was built; restore them or build the gallery again"
                )
            self._backbone, self._device = backbone, device
        return self._backbone

    def take_encoder_of(self, other: "Gallery") -> None:
        """Use the encoder that ``other`` has built already, if it made this gallery too, in place of building it."""
        maker = "backbone_fingerprint"
        if "_backbone" in other.__dict__ and other.manifest["extra"][maker] == self.manifest["extra"][maker]:
            self._backbone, self._device = other._backbone, other._device

    def use_query_encoder(
        self, encoder: str | os.PathLike | RetrievalBackbone, device: str | None = None
    ) -> "Gallery":
        """From now on encode queries with a distilled encoder; the one that made the gallery is not built.

        Args:
            encoder: A file of ``tools/distill_keys.py`` (which then runs on ``device``), or such an encoder.

        Raises:
            GalleryError: It was not distilled from this gallery's encoder and key transform, or cannot be read.
        """
        self._query_encoder = checked_query_encoder(self, encoder, device)
        return self

    @property
    def query_encoder(self) -> RetrievalBackbone:
        """What encodes queries: the encoder of `use_query_encoder`, else the one that made the gallery."""
        return self._query_encoder or self.backbone()

    def query_keys(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Keys (Q, d) float32 of photos (H, W, 3) uint8 RGB, as the index holds them."""
        return indexed_keys(self, self.query_encoder.encode(images))

    def search(
        self, images: Sequence[np.ndarray], k: int, exclude: Exclude = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest gallery photos of each query photo.

        Args:
            images: Q photos, (H, W, 3) uint8 RGB.
            k: Neighbours wanted.
            exclude: What must not be returned, by name, source id or integer id: one collection for all queries,
                or a list of Q collections.

        Returns:
            ids (Q, k') int64 and scores (Q, k') float32, sorted by (-score, id). k' < k when the gallery has no
            more for one of the queries.
        """
        return self.search_keys(self.query_keys(images), k, exclude)

    def search_keys(self, keys: np.ndarray, k: int, exclude: Exclude = None) -> tuple[np.ndarray, np.ndarray]:
        """As `search`, from keys (Q, d) as `query_keys` gives them."""
        entries = [] if exclude is None else list(exclude)
        if all(isinstance(entry, str | int | np.integer) for entry in entries):
            return self.index.search(keys, k, self.ids_of(entries))
        if len(entries) != len(keys):
            raise ValueError(f"{len(keys)} queries need as many collections to exclude, not {len(entries)}")
        return self.index.search(keys, k, [self.ids_of(own) for own in entries])

    def ids_of(self, entries: Iterable[str | int]) -> np.ndarray:
        """Ids (n,) int64, ascending, of photos given by name or source id (all that have it) or by integer id."""
        found: set[int] = set()
        for entry in entries:
            found.update(self._ids_by_name.get(entry, ()) if isinstance(entry, str) else (int(entry),))
        return np.array(sorted(found), np.int64)

    @cached_property
    def _ids_by_name(self) -> dict[str, list[int]]:
        table: dict[str, list[int]] = {}
        for i, record in enumerate(self.records):
            for name in {record.name, record.source_id}:
                table.setdefault(name, []).append(i)
        return table

    @cached_property
    def ids_by_sha256(self) -> dict[str, list[int]]:
        """Ids of the photos with a given file hash; more than one for duplicates."""
        table: dict[str, list[int]] = {}
        for i, record in enumerate(self.records):
            table.setdefault(record.sha256, []).append(i)
        return table

    def verify(self, photos: bool = True, encoders: bool = False) -> list[str]:
        """Check every file against the manifest, and (with ``photos``) the photos, and (with ``encoders``) whether the
        encoders of today are those that made the gallery.

        Returns:
            One line per problem, naming the file; empty when all is well.
        """
        return verify_gallery(self, photos, encoders)

    def info(self) -> dict:
        """What the gallery is, as plain values for people."""
        return describe_gallery(self)

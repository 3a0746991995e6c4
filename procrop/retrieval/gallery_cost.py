"""What a gallery will take on the disk, said before a build starts."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .gallery_design import GalleryDesign
from .gallery_encoders import GalleryEncoders
from .gallery_format import GalleryError
from .index_cost import index_bytes, is_remote
from .key_transforms import KeyTransform

# Elasticsearch refuses a mapping with longer dense vectors
ELASTICSEARCH_DIMS = 4096
_SHORTEN = "put dict(type='PCA', dim=256) into key_transform"


@dataclass(frozen=True)
class GalleryCost:
    """Bytes of a gallery.

    Attributes:
        photos: Photos to be encoded.
        raw_dim: Length of the keys as the encoder gives them, which are kept as float32.
        key_dim: Length of the keys in the index.
        token_shape: (m, d_r) of a photo's tokens, which are kept as float16; None without.
        index: What the index is, in words.
        index_per_photo: Bytes that the index takes per photo on this disk; None when that is not known.
        index_once: Bytes that it takes beside, however many photos there are.
        remote: Whether the index is on a server, and so not on this disk.
    """

    photos: int
    raw_dim: int
    key_dim: int
    token_shape: tuple[int, int] | None
    index: str
    index_per_photo: int | None
    index_once: int = 0
    remote: bool = False

    @property
    def index_bytes(self) -> int:
        """Bytes of the index, as far as they are known."""
        return self.photos * (self.index_per_photo or 0) + self.index_once

    @property
    def keys_per_photo(self) -> int:
        """Bytes of a photo's raw key."""
        return 4 * self.raw_dim

    @property
    def tokens_per_photo(self) -> int:
        """Bytes of a photo's tokens."""
        return 0 if self.token_shape is None else 2 * self.token_shape[0] * self.token_shape[1]

    def disk(self, new_photos: int | None = None, indexed: bool = True) -> int:
        """Bytes that a build writes.

        Args:
            new_photos: Photos whose rows are still to be written; None is all.
            indexed: Whether this build writes the index, too.
        """
        rows = self.photos if new_photos is None else new_photos
        return rows * (self.keys_per_photo + self.tokens_per_photo) + (self.index_bytes if indexed else 0)

    def lines(self, folder: str | os.PathLike) -> list[str]:
        """The cost in words, with what is free where ``folder`` is or will be."""
        photos, total = f"{self.photos:,} photos", self.disk()
        lines = [
            f"{photos} take {format_bytes(total)}, {format_bytes(total / self.photos)} per photo; "
            f"{format_bytes(free_bytes(folder))} are free at {folder}",
            f"  keys    {self.raw_dim:,} float32 per photo = {format_bytes(self.photos * self.keys_per_photo)}",
        ]
        if self.token_shape is not None:
            m, width = self.token_shape
            size = format_bytes(self.photos * self.tokens_per_photo)
            lines.append(f"  tokens  {m:,} x {width:,} float16 per photo = {size}")
        size = "not known here"
        if self.remote:
            size = "nothing on this disk, they are on the server"
        elif self.index_per_photo is not None:
            size = format_bytes(self.index_bytes)
        lines.append(f"  index   {self.index} of keys of {self.key_dim:,} = {size}")
        if self.key_dim > ELASTICSEARCH_DIMS:
            lines.append(f"  keys of {self.key_dim:,} numbers are slow to search: {_SHORTEN}")
        return [*lines, "  how long it takes shows as soon as the first photos are encoded"]


def estimate_cost(encoders: GalleryEncoders, photos: int) -> GalleryCost:
    """The cost of a gallery.

    Raises:
        ValueError: The key transform or the index cannot work on keys of that length.
    """
    return cost_of_design(encoders.design(), encoders.transform, photos)


def cost_of_design(design: GalleryDesign, transform: KeyTransform, photos: int) -> GalleryCost:
    """As `estimate_cost`, where no encoder is at hand; ``transform`` is that of the design's config."""
    key_dim = transform.output_dim(design.key_dim)
    config = design.retrieval["index"] or {"type": "FaissIndex"}
    kind = str(config["type"]).rpartition(".")[2]
    if kind == "ElasticsearchIndex" and key_dim > ELASTICSEARCH_DIMS:
        raise ValueError(
            f"ElasticsearchIndex takes keys of at most {ELASTICSEARCH_DIMS:,} numbers, and these have {key_dim:,}: "
            f"{_SHORTEN}"
        )
    factory = str(config.get("factory", "Flat"))
    words = f"{kind} {factory}" if kind == "FaissIndex" else kind
    each, once = index_bytes(config, key_dim) or (None, 0)
    return GalleryCost(
        photos, design.key_dim, key_dim, design.token_shape, words, each, once, remote=is_remote(config)
    )


def check_space(folder: Path, cost: GalleryCost, new_photos: int, indexed: bool) -> None:
    """Make sure that a build fits on the disk.

    Args:
        folder: Where it writes.
        cost: Cost of the whole gallery.
        new_photos: Photos whose rows are still to be written.
        indexed: Whether the index will be written too.

    Raises:
        GalleryError: It does not.
    """
    needed, free = cost.disk(new_photos, indexed), free_bytes(folder)
    if needed > free:
        raise GalleryError(
            f"{folder}: {format_bytes(needed)} are needed for the rows of {new_photos:,} photos"
            f"{' and the index' if indexed else ''}, but {format_bytes(free)} are free on that disk; free some space, "
            f"choose another folder, or make keys or tokens shorter"
        )


def free_bytes(folder: str | os.PathLike) -> int:
    """Free bytes on the disk that ``folder`` is on or would be made on."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def format_bytes(number: float) -> str:
    """Bytes as people write them: 1,000 bytes to the kB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 999.5 or unit == "GB":
            break
        number /= 1000
    digits = 0 if unit == "bytes" or number >= 99.5 else 1
    return f"{number:,.{digits}f} {unit}"

"""Both ends of a distillation: the teacher's keys and the student's features of all photos."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from procrop.io.photo import PhotoError, read_photo
from procrop.networks.efficientnet_lite import normalise
from procrop.networks.key_student import KeyStudent

from ..backbones.distilled_keys import PREPROCESSING_VERSION
from ..backbones.efficientnet_lite import to_working_size
from ..distilled_key_file import KeySpace
from ..feature_store import FeatureStore
from ..gallery import Gallery
from ..gallery_format import KEYS, GalleryError
from .chunk_cache import cached_rows
from .draws import photometric_view
from .photos import DistillPhoto
from .settings import DistillSettings


def gallery_keys(gallery: Gallery) -> np.ndarray:
    """The gallery's indexed keys (N, d) float32: its raw keys through its key transform.

    Raises:
        GalleryError: The raw keys are damaged.
    """
    store = FeatureStore.open(gallery.folder / KEYS)
    if problems := store.verify():
        raise GalleryError(f"{problems[0]}; build the gallery again")
    return gallery.key_transform.transform(store.read_all())


def teacher_keys(
    gallery: Gallery, space: KeySpace, photos: Sequence[DistillPhoto], cache: Path, device: str
) -> np.ndarray:
    """Teacher keys (n, d) float32 of photos outside the gallery; NaN where a photo cannot be used.

    The teacher is built when the first photo is not in the cache.
    """

    def make(chunk: Sequence[DistillPhoto]) -> np.ndarray:
        encoder = gallery.backbone(device)
        rows = np.full((len(chunk), space.key_dim), np.nan, np.float32)
        images = {i: encoder.prepare(image) for i, image in _readable(chunk)}
        try:
            if images:
                rows[list(images)] = gallery.query_keys(list(images.values()))
        except ValueError:
            # one photo without a usable key spoils the chunk: find it
            for i, image in images.items():
                try:
                    rows[i] = gallery.query_keys([image])[0]
                except ValueError:
                    continue
        return rows

    return cached_rows(cache, ["teacher", space.fingerprint, space.transform_sha256], photos, make, "teacher")


def student_features(
    student: KeyStudent,
    trunk_sha256: str,
    settings: DistillSettings,
    photos: Sequence[DistillPhoto],
    view: int,
    cache: Path,
    device: str,
) -> np.ndarray:
    """Features (n, f) float16 of one view of the photos by the frozen trunk; NaN where a photo cannot be read."""

    def make(chunk: Sequence[DistillPhoto]) -> np.ndarray:
        rows = np.full((len(chunk), sum(student.widths)), np.nan, np.float16)
        groups: dict[tuple[int, ...], dict[int, np.ndarray]] = {}
        for i, photo in _readable(chunk):
            small = to_working_size(photo, settings.image_size)
            image = photometric_view(small, settings.seed, view, chunk[i].number)
            groups.setdefault(image.shape, {})[i] = image
        for group in groups.values():
            with torch.inference_mode():
                images = torch.from_numpy(np.stack(list(group.values()))).to(device).permute(0, 3, 1, 2)
                x = normalise(images).contiguous(memory_format=torch.channels_last)
                rows[list(group)] = student.features(x).cpu().numpy()
        return rows

    maker = ["student", trunk_sha256, list(student.grids), settings.image_size, PREPROCESSING_VERSION]
    return cached_rows(
        cache, [*maker, [settings.seed, view] if view else None], photos, make, f"student, view {view + 1}"
    )


def _readable(chunk: Sequence[DistillPhoto]) -> list[tuple[int, np.ndarray]]:
    """(place in the chunk, photo) of those that can be read."""
    found = []
    for i, photo in enumerate(chunk):
        try:
            found.append((i, read_photo(photo.path)))
        except PhotoError:
            continue
    return found


def why_unusable(photo: DistillPhoto) -> str:
    """Why a photo has no key or no features."""
    try:
        read_photo(photo.path)
    except PhotoError as error:
        return error.reason
    return "the encoder gives no usable key for it"

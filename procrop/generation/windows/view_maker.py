"""One photo to its views: the whole of it and windows, each with a teacher's crops."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from procrop.io.manifest import sha256_file, sha256_json
from procrop.io.photo import PhotoError, read_photo
from procrop.registry import MODELS

from ..errors import GenerationError
from ..item_records import ItemFolder, ItemRecord
from ..source_photos import SourcePhoto
from .drawing import draw_windows
from .settings import WindowSettings

READING, LOOKING, DRAWING = "reading", "teacher", "windows"
# raise when views come out otherwise for reasons that neither settings nor teacher know
_VERSION = 1


class ViewMaker:
    """Makes the views of photos, and knows which are there.

    Args:
        settings: What to make.
        root: The dataset's folder.

    Raises:
        GenerationError: The teacher cannot be built, or gives more crops than there are scores.
    """

    def __init__(self, settings: WindowSettings, root: Path) -> None:
        self.settings, self.items = settings, ItemFolder(root, settings.quality)
        try:
            self.teacher = MODELS.build(dict(settings.teacher))
        except (KeyError, TypeError, ValueError) as error:
            raise GenerationError(f"teacher {dict(settings.teacher)}: {error.args[0]}") from error
        if self.teacher.count > len(settings.scores):
            raise GenerationError(
                f"{self.teacher.count} crops of the teacher, but {len(settings.scores)} scores"
            )
        self.made_with = {
            "version": _VERSION,
            "settings": settings.as_json(),
            "teacher": self.teacher.fingerprint,
        }

    def keys(self, photo: SourcePhoto) -> list[str]:
        """Names of a photo's views: number 0 is the whole photo."""
        return [f"{photo.id}_{number}" for number in range(self.settings.windows + 1)]

    def made_from(self, photo: SourcePhoto, photo_sha256: str | None) -> str:
        """Fingerprint of all that a photo's views hang on."""
        about = [photo.source_id, photo.name, vars(photo.credit)]
        return sha256_json([photo_sha256, about, self.made_with])

    def records(self, photo: SourcePhoto) -> list[ItemRecord] | None:
        """The records of a photo's views, if all are what would be made now."""
        made_from = self.made_from(photo, _sha256(photo.path))
        found = [self.items.read(key) for key in self.keys(photo)]
        whole = all(r is not None and r.made_from == made_from and self.items.is_whole(r) for r in found)
        return found if whole else None

    def make(self, photo: SourcePhoto) -> tuple[int, int]:
        """Make a photo's views unless they are there; (views made now, views there are), what was left out included.

        Raises:
            OSError: A full disk, for one; what is finished is kept.
        """
        keys = self.keys(photo)
        if self.records(photo) is not None:
            return 0, len(keys)
        sha256 = _sha256(photo.path)
        made_from = self.made_from(photo, sha256)
        try:
            pixels = read_photo(photo.path)
        except PhotoError as error:
            self._leave_out(keys, made_from, sha256, (READING, error.reason))
            return len(keys), len(keys)
        subject = self.teacher.subject_map(pixels)
        if not subject.any():
            self._leave_out(keys, made_from, sha256, (LOOKING, "nothing stands out in the photo"))
            return len(keys), len(keys)
        size = pixels.shape[1], pixels.shape[0]
        windows = np.r_[[[0, 0, *size]], draw_windows(size, subject, self.settings, photo.source_id)]
        made = []
        for key, window in zip(keys, windows, strict=False):
            image, row = self._view(pixels, window, photo)
            made.append((ItemRecord(key, made_from, sha256, row), image))
        for key in keys[len(windows) :]:
            why = DRAWING, f"few windows hold {self.settings.least_subject:.0%} of the subject"
            made.append((ItemRecord(key, made_from, sha256, dropped=why), None))
        self.items.commit_together(made)
        return len(keys), len(keys)

    def _leave_out(self, keys: list[str], made_from: str, sha256: str | None, why: tuple[str, str]) -> None:
        self.items.commit_together(
            (ItemRecord(key, made_from, sha256, dropped=why, whole_source=True), None) for key in keys
        )

    def _view(
        self, pixels: np.ndarray, window: np.ndarray, photo: SourcePhoto
    ) -> tuple[np.ndarray, Mapping[str, Any]]:
        """A view's image as it is written, (h, w, 3) uint8, and what the dataset says of it."""
        x1, y1, x2, y2 = (int(value) for value in window)
        cut = np.ascontiguousarray(pixels[y1:y2, x1:x2])
        image = _reduced(cut, self.settings.long_side)
        height, width = image.shape[:2]
        crops = self.teacher(cut, photo.source_id).boxes * [width, height, width, height]
        credit = {key: value for key, value in vars(photo.credit).items() if value is not None}
        return image, {
            "source_id": photo.source_id,
            "size": [width, height],
            "boxes": crops.tolist(),
            "scores": list(self.settings.scores[: len(crops)]),
            "extra": {"source": {"photo": photo.name, **credit}, "window": [x1, y1, x2, y2]},
        }


def _reduced(pixels: np.ndarray, long_side: int) -> np.ndarray:
    """A photo (H, W, 3) uint8 that is no longer than so many pixels."""
    height, width = pixels.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _sha256(path: Path) -> str | None:
    try:
        return sha256_file(path)
    except OSError:
        return None

"""From a photo to the model's input, without torch: the same numbers as the test pipeline and the data preprocessor."""

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

from .export_folder import ExportError

if TYPE_CHECKING:  # only the exporter has it
    from torch import nn

_INTERPOLATION = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}
# of the backends of Resize, what their interpolations are here
_BACKENDS = {
    "cv2": _INTERPOLATION,
    "pillow": {
        name: Image.Resampling[name.upper()]
        for name in ("nearest", "bilinear", "bicubic", "box", "lanczos", "hamming")
    },
}


@dataclass(frozen=True)
class Preprocessing:
    """How a photo is resized, normalised and padded.

    Attributes:
        scale: (long side, short side) that a resized photo fits into; (width, height) where its ratio is not kept.
        keep_ratio: whether the photo keeps its ratio.
        size_divisor: sides of the resized photo are rounded to multiples of this.
        interpolation: name, as the backend has it.
        reverse_channels: the model takes BGR.
        mean, std: per channel, of values in [0, 255].
        pad_size_divisor: the image is padded right and below to multiples of this ...
        pad_value: ... with this.
        backend: what resizes, "cv2" or "pillow".
    """

    scale: tuple[int, int]
    keep_ratio: bool
    size_divisor: int
    interpolation: str
    reverse_channels: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    pad_size_divisor: int
    pad_value: float
    backend: str = "cv2"

    @classmethod
    def of_model(cls, steps: list[Any], preprocessor: "nn.Module") -> "Preprocessing":
        """Read off the steps of a test pipeline and an mmdet data preprocessor.

        Raises:
            ExportError: a step, or an option of one, has no counterpart here.
        """
        from procrop.datasets.transforms import LoadPhoto, PackCropInputs, Resize

        unknown = [type(s).__name__ for s in steps if not isinstance(s, LoadPhoto | PackCropInputs | Resize)]
        resizes = [step for step in steps if isinstance(step, Resize)]
        if unknown or len(resizes) != 1:
            found = f"has {unknown[0]}" if unknown else f"resizes {len(resizes)} times"
            raise ExportError(
                f"only a test pipeline of LoadPhoto, one Resize and PackCropInputs can be exported; this one {found}"
            )
        (resize,) = resizes
        known = _BACKENDS.get(resize.backend, {})
        if resize.scale is None or resize.interpolation not in known:
            choices = "; ".join(f"{name}: {', '.join(sorted(ways))}" for name, ways in _BACKENDS.items())
            raise ExportError(
                "Resize can be exported with a `scale` and one of these backends and interpolations, not as "
                f"{resize!r}: {choices}"
            )
        normalises = getattr(preprocessor, "_enable_normalize", False)
        mean, std = (
            [float(v) for v in getattr(preprocessor, name).flatten()] if normalises else [fill] * 3
            for name, fill in (("mean", 0.0), ("std", 1.0))
        )
        return cls(
            scale=tuple(int(side) for side in resize.scale),
            keep_ratio=bool(resize.keep_ratio),
            size_divisor=resize.size_divisor,
            interpolation=resize.interpolation,
            reverse_channels=bool(preprocessor._channel_conversion),
            mean=tuple(mean),
            std=tuple(std),
            pad_size_divisor=preprocessor.pad_size_divisor,
            pad_value=float(preprocessor.pad_value),
            backend=resize.backend,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """The reverse of :meth:`to_dict`."""
        return cls(
            **{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def resized_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a photo after resizing, each at least 1."""
        if not self.keep_ratio:
            return self.scale
        factor = min(max(self.scale) / max(width, height), min(self.scale) / min(width, height))
        divisor = self.size_divisor
        sides = (int(side * factor + 0.5) for side in (width, height))
        return tuple(max(round(side / divisor), 1) * divisor for side in sides)

    def __call__(self, photo: np.ndarray) -> dict[str, np.ndarray]:
        """A photo (H, W, 3) uint8 RGB as the graph's ``image`` (1, 3, h, w) float32 and ``photo_size`` (1, 2) int64."""
        width, height = self.resized_size(photo.shape[1], photo.shape[0])
        if (width, height) != photo.shape[1::-1]:
            photo = self._resized(photo, (width, height))
        pixels = photo[..., ::-1] if self.reverse_channels else photo
        values = (pixels.astype(np.float32) - np.float32(self.mean)) / np.float32(self.std)
        rows, columns = (
            math.ceil(side / self.pad_size_divisor) * self.pad_size_divisor for side in (height, width)
        )
        image = np.full((1, 3, rows, columns), self.pad_value, dtype=np.float32)
        image[0, :, :height, :width] = values.transpose(2, 0, 1)
        return dict(image=image, photo_size=np.array([[width, height]], dtype=np.int64))

    def _resized(self, photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        way = _BACKENDS[self.backend][self.interpolation]
        if self.backend == "pillow":
            return np.asarray(Image.fromarray(photo).resize(size, way))
        return cv2.resize(photo, size, interpolation=way)

"""A stand-in outpainter: OpenCV's inpainting at low resolution, with noise as rough as the photo."""

import cv2
import numpy as np

from procrop.generation.item import CADItem
from procrop.generation.known_area import known_mask
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

from .base import Outpainter

# raise when canvases are painted otherwise
_VERSION = 1
_METHODS = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}


@GENERATION_STEPS.register_module()
class OpenCVOutpainter(Outpainter):
    """STAND-IN for development, no generative model: colours run on from the photo's borders, with noise on them.

    The canvas is inpainted on a small copy, enlarged, and given noise of several scales whose strength at each scale is
    that of the photo, so that the painted part is about as rough as the known one. It shows no objects.

    Args:
        method: "telea" (fast marching, Telea 2004) or "ns" (Navier-Stokes, Bertalmio et al. 2001).
        long_side: Pixels of the long side of the small copy.
        radius: Pixels of the copy that count around each one.
        noise: Strength of the noise; 1 is the photo's own roughness, 0 none.

    Raises:
        ValueError: Unknown method, or a number out of range.
    """

    stand_in = True

    def __init__(
        self, method: str = "telea", long_side: int = 128, radius: float = 5, noise: float = 0.7
    ) -> None:
        if method not in _METHODS:
            raise ValueError(f"method must be one of {tuple(_METHODS)}, got {method!r}")
        if long_side < 16 or radius <= 0 or noise < 0:
            raise ValueError(
                f"long_side must be at least 16, radius above 0 and noise at least 0, got {long_side}, {radius} and "
                f"{noise}"
            )
        self.method, self.long_side = method, int(long_side)
        self.radius, self.noise = float(radius), float(noise)

    @property
    def fingerprint(self) -> str:
        settings = {"method": self.method, "long_side": self.long_side, "radius": self.radius}
        settings |= {"noise": self.noise, "version": _VERSION}
        return sha256_json({"type": type(self).__name__, "stand_in": True, **settings})

    def paint(self, canvas: np.ndarray, item: CADItem, rng: np.random.Generator) -> np.ndarray:
        plan = item.canvas
        x1, y1, x2, y2 = plan.known
        noise = self.noise * rough_noise(canvas[y1:y2, x1:x2], (plan.width, plan.height), rng)
        painted = self._colours(canvas, known_mask(plan)) + noise
        return np.rint(painted).clip(0, 255).astype(np.uint8)

    def _colours(self, canvas: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Inpainted at low resolution: (height, width, 3) float32."""
        height, width = known.shape
        scale = min(1.0, self.long_side / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        covered = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        small = cv2.resize(canvas.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        # cells that the photo covers in part hold the mean of that part; without a whole cell the best ones count
        small /= np.maximum(covered, 1e-6)[..., None]
        trusted = covered >= min(0.5, covered.max())
        small = np.rint(small).clip(0, 255).astype(np.uint8)
        small = cv2.inpaint(small, (~trusted).astype(np.uint8), self.radius, _METHODS[self.method])
        return cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)


def rough_noise(photo: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise whose strength at each of three scales is the photo's.

    Args:
        photo: (h, w, 3) uint8.
        size: (width, height) of the noise.
        rng: Draws it.

    Returns:
        (height, width, 1) float32 of mean about 0, the same for the three channels.
    """
    width, height = size
    level = photo.astype(np.float32).mean(axis=2)
    noise = np.zeros((height, width), np.float32)
    for octave in range(3):
        smooth = cv2.GaussianBlur(level, (0, 0), 1.5, borderType=cv2.BORDER_REFLECT)
        # the median of the detail, since a few strong edges are no texture
        strength = np.median(np.abs(level - smooth)) / 0.6745
        drawn = rng.standard_normal((-(-height >> octave), -(-width >> octave)), dtype=np.float32)
        noise += strength * cv2.resize(drawn, (width, height), interpolation=cv2.INTER_CUBIC)
        if min(smooth.shape) < 4:
            break
        level = smooth[::2, ::2]
    return noise[..., None]

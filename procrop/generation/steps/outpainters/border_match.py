"""A painted surrounding whose colours meet the photo's at its border."""

import cv2
import numpy as np

from procrop.generation.canvas_plan import CanvasPlan
from procrop.generation.known_area import distance_to_known, known_mask


def match_border(painted: np.ndarray, canvas: np.ndarray, plan: CanvasPlan, reach: float) -> np.ndarray:
    """Carry the difference between the photo and its repainted self outwards, fading away.

    A latent diffusion model gives the photo back a little off in colour. With the photo pasted over it, that would be
    a step along the border; here the surrounding near the border is shifted by the same smooth difference.

    Args:
        painted: (height, width, 3) uint8, the model's whole canvas.
        canvas: (height, width, 3) uint8, the photo in the known area.
        plan: The canvas.
        reach: Pixels over which the shift fades; 0 changes nothing.

    Returns:
        (height, width, 3) uint8, changed outside the known area alone.
    """
    if reach <= 0:
        return painted
    known = known_mask(plan)
    weight = known.astype(np.float32)
    off = (canvas.astype(np.float32) - painted) * weight[..., None]
    # a mean over what is known near each pixel: blurred differences over blurred weights
    sigma = reach / 2
    near = cv2.GaussianBlur(weight, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    shift = cv2.GaussianBlur(off, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    shift /= np.maximum(near, 1e-3)[..., None]
    fade = np.exp(-distance_to_known(plan) / reach) * ~known
    shifted = painted + shift * fade[..., None]
    return np.rint(shifted).clip(0, 255).astype(np.uint8)

"""Resizing at the depth of the file."""

import dataclasses

import numpy as np
from PIL import Image

from procrop.photofile.raster import Raster, from_image


def resize(raster: Raster, size: tuple[int, int]) -> Raster:
    """Resize with Lanczos' window of three lobes, widened when shrinking so that nothing aliases.

    The values are averaged as the file holds them, that is in its gamma, not in linear light, as most editors do.
    Colours are weighted by their alpha. Palettes and transparent colours become channels, and black and white becomes
    grey, since what lies between two colours needs a name. More than eight bits are computed in float32.

    Args:
        raster: the pixels.
        size: (width, height) of the result.
    """
    if raster.size == size:
        return raster
    raster = raster.with_alpha()
    if raster.space == "1":
        raster = Raster(raster.values.astype(np.uint8) * 255, "L")
    if not raster.deep:
        return from_image(raster.to_image().resize(size, Image.Resampling.LANCZOS))
    return dataclasses.replace(raster, values=_resize_deep(raster, size))


def _resize_deep(raster: Raster, size: tuple[int, int]) -> np.ndarray:
    dtype = raster.values.dtype
    channels = np.atleast_3d(raster.values).astype(np.float32)
    has_alpha = raster.space in ("LA", "RGBA")
    if has_alpha:
        channels[..., :-1] *= channels[..., -1:] / 65535
    planes = [
        Image.fromarray(np.ascontiguousarray(channels[..., c])).resize(size, Image.Resampling.LANCZOS)
        for c in range(channels.shape[-1])
    ]
    result = np.dstack([np.asarray(plane) for plane in planes])
    if has_alpha:
        result[..., -1] = np.clip(result[..., -1], 0, 65535)
        result[..., :-1] *= 65535 / np.maximum(result[..., -1:], 1)
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        # float32 has no 2^31 - 1: the next number below is the largest that an int32 can take
        top = np.nextafter(np.float32(limits.max), np.float32(0)) if dtype.itemsize == 4 else limits.max
        result = np.rint(np.clip(result, limits.min, top))
    return result.reshape(size[1], size[0], *raster.values.shape[2:]).astype(dtype)

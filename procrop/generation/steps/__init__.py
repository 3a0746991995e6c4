"""The steps of the pipeline: importing it registers all of them."""

from .canvas import RandomCanvas
from .masks import SAMMasks, SuperpixelMasks
from .outpainters import ControlNetOutpainter, OpenCVOutpainter, ReflectOutpainter

__all__ = [
    "ControlNetOutpainter",
    "OpenCVOutpainter",
    "RandomCanvas",
    "ReflectOutpainter",
    "SAMMasks",
    "SuperpixelMasks",
]

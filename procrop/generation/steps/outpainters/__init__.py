"""What is painted around a photo."""

from .controlnet_outpainter import ControlNetOutpainter
from .opencv_outpainter import OpenCVOutpainter
from .reflect_outpainter import ReflectOutpainter

__all__ = ["ControlNetOutpainter", "OpenCVOutpainter", "ReflectOutpainter"]

"""How large the canvas is, and where on it the photo lies."""

from .random_canvas import RandomCanvas

__all__ = ["RandomCanvas"]

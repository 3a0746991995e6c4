"""The steps of the pipeline: importing it registers all of them."""

# ruff: noqa: F401, I001
from . import analyzers
from . import canvas
from . import composition
from . import masks
from . import outpainters

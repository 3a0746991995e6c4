"""The steps of the pipeline: importing it registers all of them."""

# ruff: noqa: F401, I001
from . import analyzers
from . import composition

"""The steps of the pipeline: importing it registers all of them."""

from . import analyzers  # noqa: F401

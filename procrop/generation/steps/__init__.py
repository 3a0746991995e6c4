"""The steps of the pipeline: importing it registers all of them."""

from . import (
    canvas,  # noqa: F401
    filters,  # noqa: F401
    masks,  # noqa: F401
    outpainters,  # noqa: F401
)

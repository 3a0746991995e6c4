"""The steps of the pipeline: importing it registers all of them."""

from . import analyzers, canvas, composition, filters, masks, outpainters

__all__ = ["analyzers", "canvas", "composition", "filters", "masks", "outpainters"]

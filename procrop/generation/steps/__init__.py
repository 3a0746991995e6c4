"""The steps of the pipeline: importing it registers all of them."""

from . import analyzers, canvas, composition, crops, filters, masks, outpainters

__all__ = ["analyzers", "canvas", "composition", "crops", "filters", "masks", "outpainters"]

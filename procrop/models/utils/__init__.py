"""Helpers of the models room."""

from .detr_weights import LoadReport, load_detr_weights, to_procrop_keys

__all__ = ["LoadReport", "load_detr_weights", "to_procrop_keys"]

"""Datasets of annotated crops, one class per file format; importing this package registers them."""

from .base import AnnotationError, CropDataset, DatasetNotFoundError
from .gaic import GAICDataset, parse_gaic_annotation, select_positives

__all__ = [
    "AnnotationError",
    "CropDataset",
    "DatasetNotFoundError",
    "GAICDataset",
    "parse_gaic_annotation",
    "select_positives",
]

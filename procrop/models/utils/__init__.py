"""Helpers of the models room."""

from .detr_weights import LoadReport, load_detr_weights, to_procrop_keys
from .self_teacher import SelfTeacher

__all__ = ["LoadReport", "SelfTeacher", "load_detr_weights", "to_procrop_keys"]

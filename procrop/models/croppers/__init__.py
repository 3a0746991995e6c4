"""Croppers: whole models, from photos to scored crops."""

from .photo_features import PhotoFeatures
from .procrop import ProCrop

__all__ = ["PhotoFeatures", "ProCrop"]

"""Croppers: whole models, from photos to scored crops."""

from .procrop import ProCrop

__all__ = ["ProCrop"]

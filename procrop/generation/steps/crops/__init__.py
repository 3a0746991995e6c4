"""Initial crops: the windows of an expanded photo that a model is trained on."""

from .random_crops import RandomCrops

__all__ = ["RandomCrops"]

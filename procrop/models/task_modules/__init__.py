"""Label makers used by the crop heads."""

from .quality_soft_label import QualitySoftLabel

__all__ = ["QualitySoftLabel"]

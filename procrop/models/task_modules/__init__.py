"""Label makers used by the crop heads."""

from .mos_label import MOSLabel
from .quality_soft_label import QualitySoftLabel

__all__ = ["MOSLabel", "QualitySoftLabel"]

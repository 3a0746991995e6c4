"""Finders of a photo's subject, and of what looks like it, on an outpainted canvas."""

from .base import Detections, SubjectDetector
from .mmdet_detector import MMDetDetector
from .template_detector import TemplateDetector
from .torchvision_detector import TorchvisionDetector

__all__ = ["Detections", "MMDetDetector", "SubjectDetector", "TemplateDetector", "TorchvisionDetector"]

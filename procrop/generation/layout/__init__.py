"""What is measured in a photo without any learned weights: subject, lines, symmetry, pattern, colours."""

from .class_scores import class_scores, composition_of
from .photo_layout import PhotoLayout

__all__ = ["PhotoLayout", "class_scores", "composition_of"]

"""Learning the nine composition classes from a list of photos."""

from .class_list import ClassList, read_class_list
from .composition_head import CompositionHead, read_composition_head, write_composition_head

__all__ = [
    "ClassList",
    "CompositionHead",
    "read_class_list",
    "read_composition_head",
    "write_composition_head",
]

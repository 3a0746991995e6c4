"""From good photos to a dataset of windows of them with a teacher's crops: nothing is painted or drawn by hand."""

from .settings import WindowSettings
from .teach import Taught, teach

__all__ = ["Taught", "WindowSettings", "teach"]

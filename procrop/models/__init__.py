"""The models room: importing it registers every component of ProCrop that a model config can name."""

from . import backbones, croppers, heads, layers, losses, necks, task_modules, teachers

__all__ = ["backbones", "croppers", "heads", "layers", "losses", "necks", "task_modules", "teachers"]

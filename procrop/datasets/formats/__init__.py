"""Readers and writers of the release formats of annotated crops; nothing here imports torch."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import CropFormat

# name on the command line -> module and class, imported when asked for
FORMATS = {
    "cad": ("cad", "CADFormat"),
    "cad_authors": ("cad", "CADAuthorsFormat"),
    "coco": ("coco", "COCOFormat"),
    "cpc": ("cpc", "CPCFormat"),
    "fcdb": ("fcdb", "FCDBFormat"),
    "flms": ("flms", "FLMSFormat"),
    "gaicv1": ("gaic", "GAICv1Format"),
    "gaicv2": ("gaic", "GAICv2Format"),
    "hcic": ("hcic", "HCICFormat"),
    "icdb": ("icdb", "ICDBFormat"),
    "jsonl": ("jsonl", "JSONLFormat"),
    "sacd": ("sacd", "SACDFormat"),
    "ugcrop5k": ("ugcrop5k", "UGCrop5KFormat"),
}


def get_format(name: str) -> "CropFormat":
    """The format of this name.

    Raises:
        ValueError: There is none; the message lists them.
    """
    if name not in FORMATS:
        raise ValueError(f"unknown dataset format {name!r}; known: {', '.join(sorted(FORMATS))}")
    module, cls = FORMATS[name]
    return getattr(import_module(f"{__name__}.{module}"), cls)()

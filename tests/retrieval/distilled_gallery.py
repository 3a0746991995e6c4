"""A small gallery with a teacher that can be forbidden, and settings for a distillation of seconds."""

from pathlib import Path

from colour_backbone import ColourBackbone, draw_photos

from procrop.registry import RETRIEVAL_BACKBONES
from procrop.retrieval import DistillSettings, Gallery, build_gallery, items_from_folder

QUICK = DistillSettings(epochs=12, image_size=64, views=2, hidden=32, batch_size=16, val_share=0.2)
RETRIEVAL = dict(backbone=dict(type="GuardedTeacher"), key_transform=dict(type="Normalise"))


class TeacherBuilt(AssertionError):
    """The teacher was made where it must not be."""


@RETRIEVAL_BACKBONES.register_module(force=True)
class GuardedTeacher(ColourBackbone):
    """Mean colours of the quarters; ``forbidden`` makes its constructor raise, ``encoded`` counts photos."""

    forbidden = False
    encoded = 0

    def __init__(self, salt: int = 0, device: str = "cpu") -> None:
        if self.forbidden:
            raise TeacherBuilt
        super().__init__(salt)

    def encode(self, images):
        type(self).encoded += len(images)
        return super().encode(images)


def make_gallery(root: Path, number: int = 60, seed: int = 0, retrieval: dict = RETRIEVAL) -> Gallery:
    """Draw photos of four colour fields each, and build their gallery."""
    photos = draw_photos(root / "photos", number, seed)
    return build_gallery(root / "gallery", items_from_folder(photos), retrieval, photos)

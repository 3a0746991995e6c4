"""CPC, photos with 24 scored crops each (Wei et al. 2018): references with annotations, as in the paper's Table 5."""

import os
from pathlib import Path

from procrop.datasets.errors import AnnotationError
from procrop.datasets.formats.cpc import read_cpc_annotation
from procrop.registry import GALLERY_SOURCES

from ..gallery_format import GalleryItem
from .base import GallerySource, names_in, read_lines


@GALLERY_SOURCES.register_module()
class CPCSource(GallerySource):
    """The annotated photos of CPC with their crops, sorted by name.

    Photos lie in ``images/<name>``, annotations in ``CollectedAnnotationsRaw/<name>.txt`` (the photo's suffix stays
    before ``.txt``); a crop's score is the mean over its annotators. What is missing or damaged is reported.

    CPC has no published split: when part of it is used to validate or test, name the training photos in ``names``, for
    a gallery must not hold photos that a model is measured on.

    Args:
        root: The dataset's folder.
        names: File of photo names to take, one a line, relative to ``root``; None takes all.
        images: The folder of photos, relative to ``root``.
        annotations: The folder of annotations, relative to ``root``.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        names: str | None = None,
        images: str = "images",
        annotations: str = "CollectedAnnotationsRaw",
    ) -> None:
        super().__init__(Path(root) / images)
        self.annotations = Path(root) / annotations
        self.names = None if names is None else Path(root) / names

    def items(self) -> list[GalleryItem]:
        self.report = {}
        photos = names_in(self.root, "CPC's photos")
        annotated = names_in(self.annotations, "CPC's annotations")
        items = []
        for name in self._wanted(annotated):
            annotation = self.annotations / f"{name}.txt"
            if name not in photos:
                self.leave_out("photo not on the disk", self.root / name)
            elif annotation.name not in annotated:
                self.leave_out("annotation not on the disk", annotation)
            else:
                try:
                    boxes, scores = read_cpc_annotation(annotation)
                except AnnotationError:
                    self.leave_out("damaged annotation", f"{annotation}:1")
                    continue
                items.append(GalleryItem(self.root / name, os.path.splitext(name)[0], boxes, scores))
        return self.check_any(items)

    def _wanted(self, annotated: set[str]) -> list[str]:
        if self.names is None:
            return sorted(name.removesuffix(".txt") for name in annotated if name.endswith(".txt"))
        return sorted({line.strip() for _, line in read_lines(self.names, "the list of names")})

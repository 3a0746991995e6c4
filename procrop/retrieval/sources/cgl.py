"""CGL-Dataset, the paper's second retrieval set: e-commerce posters (Zhou et al. 2022)."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from procrop.registry import GALLERY_SOURCES

from ..gallery_format import GalleryItem
from .base import GallerySource, GallerySourceError, names_in


@GALLERY_SOURCES.register_module()
class CGLSource(GallerySource):
    """The posters that CGL's annotation files list, file by file, each in the order of (id, name).

    The files are JSON in COCO's manner; of them only the table ``images`` is read, with ``id`` and ``file_name``: the
    paper retrieves posters as photos and has no use for their layout. The default files are those of the posters with
    a layout, which the paper counts as 60,548; the canvases without one (``yinhe.json``) stay out. Posters lie in
    ``images``, or in folders directly below it (they are published as two archives); those not on the disk are
    reported.

    Args:
        root: The dataset's folder.
        annotations: The annotation files, relative to ``root``.
        images: The folder of posters, relative to ``root``.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        annotations: Sequence[str] = ("layout_train_6w_fixed_v2.json", "layout_test_6w_fixed_v2.json"),
        images: str = "images",
    ) -> None:
        self.annotations = [Path(root) / name for name in annotations]
        super().__init__(Path(root) / images)

    def items(self) -> list[GalleryItem]:
        self.report = {}
        places = self._places()
        found: dict[str, GalleryItem] = {}
        for annotation in self.annotations:
            for _, name, place in sorted(self._listed(annotation)):
                if name in found:
                    self.leave_out("poster listed twice", place)
                elif name not in places:
                    self.leave_out("poster not on the disk", self.root / name)
                else:
                    found[name] = GalleryItem(places[name] / name, source_id=Path(name).stem)
        return self.check_any(list(found.values()))

    def _listed(self, annotation: Path) -> Iterator[tuple[int, str, str]]:
        """Id, file name and place of each poster of a file's table."""
        try:
            rows = list(json.loads(annotation.read_bytes().decode("utf-8-sig"))["images"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GallerySourceError(
                f"{annotation}: not CGL's annotation file with a table 'images' ({error!r}); download it, or name the "
                f"right ones in `annotations`"
            ) from error
        for number, row in enumerate(rows):
            place = f"{annotation}:images[{number}]"
            name, poster_id = (row.get("file_name"), row.get("id")) if isinstance(row, dict) else (None, None)
            if isinstance(name, str) and name == os.path.basename(name) and type(poster_id) is int:
                yield poster_id, name, place
            else:
                self.leave_out("no whole number 'id' and plain 'file_name'", place)

    def _places(self) -> dict[str, Path]:
        """The folder of each file."""
        places = dict.fromkeys(names_in(self.root, "CGL's posters"), self.root)
        for folder in sorted(path for path in self.root.iterdir() if path.is_dir()):
            places = {**dict.fromkeys(names_in(folder, "CGL's posters"), folder), **places}
        return places

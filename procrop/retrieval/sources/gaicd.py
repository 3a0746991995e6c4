"""GAICD, photos with up to 90 scored crops each: references with annotations, as in the paper's Table 5."""

import os
from pathlib import Path

from procrop.registry import GALLERY_SOURCES

from ..gallery_format import GalleryItem
from .base import GallerySource, read_lines

_HELD_OUT = ("val", "test")


@GALLERY_SOURCES.register_module()
class GAICDSource(GallerySource):
    """The photos of a GAICD split with their scored crops.

    A gallery must not hold photos that a model is measured on. So val and test are refused unless asked for by name,
    and photos that the dataset's own ``splits/val.txt`` or ``splits/test.txt`` name are left out of train.

    Args:
        root: The dataset's folder, see `GAICDataset`.
        split: "train", "val" or "test".
        version: "v1" or "v2".
        allow_held_out: Index val or test all the same, e.g. to look at their neighbours.

    Raises:
        ValueError: A split that is held out.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        split: str = "train",
        version: str = "v2",
        allow_held_out: bool = False,
    ) -> None:
        if split in _HELD_OUT and not allow_held_out:
            raise ValueError(
                f"split {split!r} of GAICD is for measuring: a gallery that holds it would give the answers away; take "
                f"'train', or set allow_held_out=True for a gallery that no model is measured with"
            )
        super().__init__(root)
        self.data_root, self.split, self.version = Path(root), split, version

    def items(self) -> list[GalleryItem]:
        from procrop.registry import DATASETS  # the dataset class needs torch

        self.report = {}
        config = dict(type="GAICDataset", data_root=str(self.data_root), split=self.split)
        dataset = DATASETS.build({**config, "version": self.version, "pipeline": [], "strict": False})
        held_out = self._held_out() if self.split == "train" else {}
        items = []
        for info in (dataset.get_data_info(i) for i in range(len(dataset))):
            if info["img_id"] in held_out:
                self.leave_out("photo of train that is held out", held_out[info["img_id"]])
                continue
            items.append(
                GalleryItem(info["img_path"], info["source_id"], info["gt_bboxes"], info["gt_scores"])
            )
        for reason, places in dataset.report.items():
            self.report.setdefault(reason, []).extend(places)
        self.check_any(items)
        # the folder that holds them all: of version 1, val may lie beside train
        folders = {os.path.dirname(os.path.abspath(item.path)) for item in items}
        self.root = Path(os.path.commonpath(folders))
        return items

    def _held_out(self) -> dict[str, str]:
        """Ids that the dataset's lists hold out, with the place that says so."""
        found = {}
        for split in _HELD_OUT:
            path = self.data_root / "splits" / f"{split}.txt"
            if path.is_file():
                for number, line in read_lines(path, "the split"):
                    name = line.strip()
                    found[os.path.splitext(name)[0] if name.lower().endswith(".jpg") else name] = (
                        f"{path}:{number}"
                    )
        return found

"""Small data for every config: each dataset in its own release layout, a gallery with crops, and neighbour tables."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from mmengine.registry import DefaultScope

from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropSet
from procrop.datasets.toy import ToySettings, write_toy_dataset
from procrop.registry import DATASETS
from procrop.retrieval import GalleryItem, NeighbourTable, build_gallery

RETRIEVAL = dict(
    backbone=dict(type="EfficientNetLiteRetrieval", image_size=64, token_grid=(2, 2), token_stride=16),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)
# dataset class -> name of its format; a class that configs name and this table lacks fails the test
FORMATS = {
    "CADDataset": "cad",
    "CPCDataset": "cpc",
    "FCDBDataset": "fcdb",
    "FLMSDataset": "flms",
    "SACDDataset": "sacd",
}


class ReleaseData:
    """Writes what a config's datasets read, once a kind.

    Args:
        root: Folder to write into.
    """

    def __init__(self, root: Path) -> None:
        self.root, self._tables = root, {}
        toy = ToySettings(images=9, gallery=1, splits=(0.5, 0.2, 0.3), size=(160, 120))
        write_toy_dataset(root / "gaicv2", toy)
        self._toy = {
            split: get_format("gaicv2").read(root / "gaicv2", split) for split in ("train", "val", "test")
        }
        self.gallery = root / "gallery"
        found = self._toy["train"]
        items = [
            GalleryItem(found.photo_path(r), f"other {r.img_id}", r.boxes.astype(np.float32), r.scores)
            for r in found.records
        ]
        self._built = build_gallery(self.gallery, items, RETRIEVAL, root)

    def folder(self, dataset: dict) -> Path:
        """The data root for a dataset's config, written when first asked for."""
        if dataset["type"] == "GAICDataset":
            name = "gaic" + dataset.get("version", "v2")
        else:
            name = FORMATS[dataset["type"]]
        folder = self.root / name
        if not folder.exists():
            self._write(name, folder)
        return folder

    def table(self, dataset: dict) -> Path:
        """Neighbours of all photos of a dataset's config, found when first asked for."""
        bare = {k: v for k, v in dataset.items() if k in ("type", "data_root", "split", "version", "strict")}
        key = str(sorted(bare.items()))
        if key not in self._tables:
            with DefaultScope.overwrite_default_scope("procrop"):
                data = DATASETS.build({**bare, "pipeline": [], "serialize_data": False})
            infos = [data.get_data_info(i) for i in range(len(data))]
            queries = [(i["img_id"], i["source_id"], i["img_path"]) for i in infos]
            path = self.root / f"table{len(self._tables)}.npz"
            NeighbourTable.build(queries, self._built, 20).save(path)
            self._tables[key] = path
        return self._tables[key]

    def _write(self, name: str, folder: Path) -> None:
        target = get_format(name)
        records, photos = [], next(iter(self._toy.values())).photos
        for split, toy in self._toy.items():
            for r in toy.records:
                extra = {"split": split}
                records.append(replace(r, subject=r.boxes[0], scores=_scores(name, r.scores), extra=extra))
        target.save(CropSet("toy", records, photos), folder, None, Problems())
        for record in records:
            for source, place in target.places(record).items():
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(photos / source, folder / place)


def _scores(name: str, scores: np.ndarray) -> np.ndarray | None:
    """Toy scores on the scale of the format: CPC's annotators gave 0 to 3 points or so, some give none."""
    return {"cpc": scores - 1.5, "flms": None, "fcdb": None, "sacd": None}.get(name, scores)

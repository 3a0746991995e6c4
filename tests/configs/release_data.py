"""Small drawn data in the release format of any dataset that a config names, with galleries and captions."""

import shutil
from pathlib import Path

import neighbours  # tools
import numpy as np
from PIL import Image
from stand_ins import text_stand_in, with_stand_ins

from procrop.apis.config_datasets import leaf_datasets, list_photos, loading_steps
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropRecord, CropSet
from procrop.datasets.text import Caption, TextPhoto, build_text
from procrop.datasets.toy import ToySettings, read_scenes, write_toy_dataset
from procrop.registry import DATASETS, TEXT_ENCODERS
from procrop.retrieval import NeighbourTable, build_gallery
from procrop.retrieval.gallery_format import GalleryItem

PER_SPLIT, K = 2, 24
# collections of photos without crops: a config that reads crops of their galleries is wrong
UNANNOTATED = {"ava", "cgl", "unsplash"}


class ReleaseData:
    """A folder in which the paths that configs name exist; each is made when a config first asks for it."""

    def __init__(self, root: Path) -> None:
        self.root, self.toy = root, root / "drawn"
        settings = ToySettings(images=3 * PER_SPLIT, gallery=6, splits=(1 / 3, 1 / 3, 1 / 3), size=(128, 96))
        write_toy_dataset(self.toy, settings)
        self.scenes = read_scenes(self.toy)
        self.galleries, self.tables, self.texts = {}, {}, {}

    def provide(self, cfg) -> None:
        """Make all that the datasets of a config read; the present folder must be ``root``."""
        for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
            for dataset in leaf_datasets((cfg.get(loader) or {}).get("dataset")):
                self.write_dataset(dataset["type"], Path(dataset["data_root"]))
        retrieval = cfg.get("retrieval")
        for table, job in neighbours.find_jobs(cfg.to_dict(), None).items():
            gallery = self.gallery(job.gallery, retrieval and with_stand_ins(retrieval.to_dict()))
            known = (job.gallery, job.datasets)
            if self.tables.get(table, known)[0] != job.gallery:
                raise AssertionError(f"{table}: other configs fill it from {self.tables[table][0]}")
            if table not in self.tables or any(d not in self.tables[table][1] for d in job.datasets):
                queries = list_photos([*self.tables.get(table, (None, []))[1], *job.datasets])
                NeighbourTable.build(queries, gallery, max(K, job.k)).save(table)
                self.tables[table] = (job.gallery, [*self.tables.get(table, (None, []))[1], *job.datasets])
        for _, dataset, step in loading_steps(cfg.to_dict(), "LoadTextTokens"):
            if step.get("folder"):
                self.write_text(step["folder"], dataset, cfg.get("text_encoder"))

    def write_text(self, folder: str, dataset: dict, encoder: dict | None) -> None:
        """Captions and tokens of a dataset's photos, added to those of other datasets that share the folder."""
        assert encoder, f"{folder}: a config with text needs a `text_encoder`"
        encoder = text_stand_in(dict(encoder))
        made_with, datasets = self.texts.setdefault(folder, (encoder, []))
        assert made_with == encoder, f"{folder}: configs want it from several encoders"
        if dataset not in datasets:
            datasets.append(dataset)
            photos = [TextPhoto(img_id, path) for img_id, _, path in list_photos(datasets)]
            given = {photo.id: Caption(f"a photo called {photo.id}") for photo in photos}
            build_text(folder, photos, TEXT_ENCODERS.build(dict(encoder)), encoder, given)

    def gallery(self, folder: str, retrieval: dict | None):
        """The gallery of this path, which all configs must want from one encoder."""
        if folder not in self.galleries:
            assert retrieval, f"{folder}: a config without `retrieval` cannot be the only one that uses it"
            annotated = UNANNOTATED.isdisjoint(Path(folder).parts)
            items = [self._item(scene, annotated) for scene in self.scenes if scene["split"] == "gallery"]
            built = build_gallery(folder, items, retrieval, self.toy / "gallery")
            self.galleries[folder] = (built, retrieval)
        built, made_with = self.galleries[folder]
        assert retrieval in (None, made_with), f"{folder}: configs want it from several encoders"
        return built

    def _item(self, scene: dict, annotated: bool) -> GalleryItem:
        width, height = scene["size"]
        crops = np.array([[0, 0, width, height], [2, 2, width - 2, height - 2]], float)
        scores = np.array([3.0, 4.0])
        path = self.toy / "gallery" / f"{scene['id']}.jpg"
        return GalleryItem(path, None, crops if annotated else None, scores if annotated else None)

    def write_dataset(self, kind: str, root: Path) -> None:
        """Write all splits of a dataset into a folder, unless it is there."""
        if root.exists() and any(path.name != "gallery_index" for path in root.iterdir()):
            return
        name = getattr(DATASETS.get(kind), "format_name", None)
        if name is None:  # GAICD, which the toy data follow
            for part in ("images", "annotations"):
                shutil.copytree(self.toy / part, root / part)
            return
        target = get_format(name)
        scenes = {split: self._scenes(split) for split in target.splits or (None,)}
        records = [self._record(scene, split) for split, found in scenes.items() for scene in found]
        target.save(CropSet("drawn", records, self.toy, Problems()), root, None, Problems())
        for record in records:
            for photo, place in target.places(record).items():
                self._copy(photo, root / place)

    def _scenes(self, split: str | None) -> list[dict]:
        """Scenes of a split, or those of the test split where the toy data have none of this name."""
        known = [s for s in self.scenes if s["split"] == split]
        return known or [s for s in self.scenes if s["split"] == "test"]

    def _copy(self, name: str, target: Path) -> None:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.toy / name, target)

    def _record(self, scene: dict, own_split: str | None) -> CropRecord:
        split, name = scene["split"], scene["id"]
        text = (self.toy / "annotations" / split / f"{name}.txt").read_text()
        rows = np.array([line.split() for line in text.splitlines()], float)
        rows = rows[rows[:, 4] >= 0]
        rows = rows[np.argsort(-rows[:, 4], kind="stable")[:8]]
        subject = np.array(scene["subject"])
        mask = np.zeros(scene["size"][::-1], np.uint8)
        x1, y1, x2, y2 = np.round(subject).astype(int)
        mask[y1:y2, x1:x2] = 255
        (self.toy / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(self.toy / f"masks/{name}.jpg")
        return CropRecord(
            name,
            f"images/{split}/{name}.jpg",
            rows[:, [1, 0, 3, 2]],
            rows[:, 4],
            size=tuple(scene["size"]),
            subject=subject,
            mask=f"masks/{name}.jpg",
            extra={"split": own_split} if own_split else {},
        )

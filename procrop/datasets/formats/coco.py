"""COCO-style detection files whose objects are crops."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_bytes

from ..paths import name_fault
from ..problems import Problems
from ..records import CropRecord, CropSet
from ..splits import by_split
from .base import CropFormat, box_fault
from .json_values import numbers, read_json, whole_size
from .losses import note_losses
from .names import without_suffix
from .text import encoded, plain_numbers

_PLAIN = "annotations.json"


class COCOFormat(CropFormat):
    """``annotations.json``, or ``annotations/{train,val,test}.json``, beside the folder ``images``.

    ``images`` lists ``id``, ``file_name`` (below ``images``), ``width`` and ``height``; ``annotations`` lists
    ``image_id``, ``bbox`` = (x, y, width, height) in pixels, and ``score``, which COCO does not have; either all crops
    of a photo have one, or none. UNIC's files have ``gt_flag``, too, which tells crops to reproduce (1) from candidates
    (0). It is passed over: candidates are kept with their score, and refused without one. The one category is "crop",
    or there is no list of them; other files hold objects and not crops, and are refused.
    """

    name = "coco"
    title = "The COCO-style data set"
    splits = ("train", "val", "test")
    carries = frozenset({"scores"})
    layout = (
        "{root}/annotations.json or {root}/annotations/{{train,val,test}}.json\n{root}/images/<file_name>"
    )
    source = "tools/datasets.py convert writes this layout from others."

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        files = {name: root / f"annotations/{name}.json" for name in self.splits if split in (None, name)}
        files = {name: file for name, file in files.items() if file.is_file()}
        plain = root / _PLAIN
        if split is None and plain.is_file():
            files = {None: plain} | files
        if not files:
            raise self.not_found(root, "no annotation file" + (f" for split {split!r}" if split else ""))
        return root / "images", [r for name, file in files.items() for r in _records(file, name, problems)]

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        (root / "images").mkdir(parents=True, exist_ok=True)
        for name, group in by_split(records.records, split, self.splits).items():
            place = root / (f"annotations/{name}.json" if name else _PLAIN)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(place, encoded(json.dumps(_content(group), allow_nan=False)))

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        return {record.photo: f"images/{record.photo}"}


def _content(records: list[CropRecord]) -> dict[str, list]:
    """The file of one split; a photo with several records is listed once for each."""
    images, annotations = [], []
    for number, record in enumerate(records, start=1):
        image: dict[str, object] = {"id": number, "file_name": record.photo}
        if record.size is not None:
            image |= {"width": int(record.size[0]), "height": int(record.size[1])}
        if record.img_id != without_suffix(record.photo):
            image["img_id"] = record.img_id
        images.append(image)
        for i, (x1, y1, x2, y2) in enumerate(map(plain_numbers, record.boxes)):
            crop = {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0}
            crop |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            if record.scores is not None:
                crop["score"] = float(record.scores[i])
            annotations.append(crop)
    categories = [{"id": 1, "name": "crop"}]
    return {"images": images, "annotations": annotations, "categories": categories}


@dataclass
class _Image:
    """An entry of ``images`` and the crops found for it."""

    place: str
    name: str
    img_id: str
    size: tuple[int, int] | None
    boxes: list[tuple[float, ...]] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)


def _records(file: Path, split: str | None, problems: Problems) -> list[CropRecord]:
    try:
        content = read_json(file)
    except ValueError as error:
        problems.add(file, str(error))
        return []
    parts = [content.get(key) for key in ("images", "annotations")] if isinstance(content, dict) else [None]
    if not all(isinstance(part, list) for part in parts):
        problems.add(file, "not an object with the lists 'images' and 'annotations'")
        return []
    categories = content.get("categories") or []
    if fault := _categories_fault(categories):
        problems.add(file, fault)
        return []
    ids = {category.get("id") for category in categories}
    images = _images(parts[0], file, problems)
    for number, crop in enumerate(parts[1], start=1):
        if reason := _add_crop(crop, images, ids):
            problems.add(f"{file} (annotation {number})", reason)
    extra = {"split": split} if split else {}
    found = (_record(image, extra, problems) for image in images.values() if image is not None)
    return [record for record in found if record is not None]


def _categories_fault(categories: object) -> str | None:
    if not isinstance(categories, list) or not all(isinstance(entry, dict) for entry in categories):
        return "'categories' is not a list of objects"
    if len(categories) > 1:
        return "several categories: these are objects, not crops"
    name = categories[0].get("name") if categories else "crop"
    if name != "crop":
        return f"category {name!r}: these are objects, not crops (crops have the one category 'crop')"
    if categories and not isinstance(categories[0].get("id"), int | str | None):
        return "the category's 'id' is no number"
    return None


def _images(entries: list, file: Path, problems: Problems) -> dict[int | str, _Image | None]:
    """Images by id, in the order of the file; None for one that cannot be used and was reported."""
    images: dict[int | str, _Image | None] = {}
    names = set()
    for number, entry in enumerate(entries, start=1):
        place = f"{file} (image {number})"
        image_id = entry.get("id") if isinstance(entry, dict) else None
        if type(image_id) not in (int, str):
            problems.add(place, "not an object with 'id' and 'file_name'")
            continue
        if image_id in images:
            problems.add(place, "image id listed twice")
            continue
        images[image_id] = None
        name, size = entry.get("file_name"), None
        fault = name_fault(name)
        if not fault and not {"width", "height"}.isdisjoint(entry):
            size = whole_size([entry.get("width"), entry.get("height")])
            fault = None if size else "'width' and 'height' are not whole numbers of pixels"
        if not fault:
            img_id = entry.get("img_id", without_suffix(name))
            if not isinstance(img_id, str) or not img_id:
                fault = "'img_id' is not a name"
            elif img_id in names:
                fault = "record listed twice"
        if fault:
            problems.add(place, fault)
            continue
        names.add(img_id)
        images[image_id] = _Image(place, name, img_id, size)
    return images


def _add_crop(crop: object, images: dict[int | str, _Image | None], categories: set) -> str | None:
    """Give a crop to its image, or say what is wrong with it."""
    box = numbers(crop.get("bbox"), 4) if isinstance(crop, dict) else None
    if box is None or type(crop.get("image_id")) not in (int, str):
        return "not an object with 'image_id' and 'bbox' [x, y, width, height]"
    if crop["image_id"] not in images:
        return "crop of an image that is not listed"
    image = images[crop["image_id"]]
    if image is None:
        return None  # reported with the image
    category = crop.get("category_id")
    if categories and category is not None and not (type(category) in (int, str) and category in categories):
        return "'category_id' is not the id of the one category"
    x, y, width, height = box
    box = (x, y, x + width, y + height)
    if fault := box_fault(box, image.size):
        return fault
    score = None
    if crop.get("score") is not None:
        score = numbers([crop["score"]], 1)
        if score is None or not math.isfinite(score[0]):
            return "score is not a finite number"
        score = score[0]
    elif crop.get("gt_flag") in (0, False):
        return "candidate (gt_flag 0) without a score: it would count as a good crop"
    image.boxes.append(box)
    image.scores.append(score)
    return None


def _record(image: _Image, extra: dict, problems: Problems) -> CropRecord | None:
    unscored = image.scores.count(None)
    if not image.boxes:
        problems.add(image.place, "no usable crop")
    elif 0 < unscored < len(image.scores):
        problems.add(image.place, "some of its crops have a score and some have none")
    else:
        scores = None if unscored else np.array(image.scores)
        boxes = np.array(image.boxes)
        return CropRecord(image.img_id, image.name, boxes, scores, size=image.size, extra=dict(extra))
    return None

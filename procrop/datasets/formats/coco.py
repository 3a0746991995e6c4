"""COCO-style detection files whose objects are crops."""

import json
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_bytes

from ..paths import name_fault
from ..problems import Problems
from ..records import CropRecord, CropSet
from ..splits import by_split
from .base import CropFormat, box_fault
from .json_values import numbers, read_json
from .losses import note_losses
from .names import without_suffix
from .text import encoded, plain_numbers

_PLAIN = "annotations.json"


class COCOFormat(CropFormat):
    """``annotations.json``, or ``annotations/{train,val,test}.json``, beside the folder ``images``.

    ``images`` lists ``id``, ``file_name`` (below ``images``), ``width`` and ``height``; ``annotations`` lists
    ``image_id``, ``bbox`` = (x, y, width, height) in pixels, and ``score``, which COCO does not have; either all crops
    of a photo have one, or none. ``gt_flag``, by which UNIC's files mark the crops to reproduce, is passed over: the
    scores say the same. A file with more than one category is refused, since it holds objects and not crops.
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
            write_bytes(place, encoded(json.dumps(_content(group, problems), allow_nan=False)))

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        return {record.photo: f"images/{record.photo}"}


def _content(records: list[CropRecord], problems: Problems) -> dict[str, list]:
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


def _records(file: Path, split: str | None, problems: Problems) -> list[CropRecord]:
    try:
        content = read_json(file)
    except ValueError as error:
        problems.add(file, str(error))
        return []
    images, annotations = (
        (content.get(k) for k in ("images", "annotations")) if isinstance(content, dict) else (0, 0)
    )
    if not isinstance(images, list) or not isinstance(annotations, list):
        problems.add(file, "not an object with the lists 'images' and 'annotations'")
        return []
    if len(content.get("categories") or []) > 1:
        problems.add(file, "several categories: these are objects, not crops")
        return []
    crops: dict[object, list] = {}
    for number, crop in enumerate(annotations, start=1):
        if reason := _crop_fault(crop):
            problems.add(f"{file} (annotation {number})", reason)
        else:
            crops.setdefault(crop["image_id"], []).append(crop)
    records = [
        r for n, image in enumerate(images, 1) for r in _record(image, n, file, split, crops, problems)
    ]
    for image_id in crops:  # what is left belongs to no image
        problems.add(f"{file} (image_id {image_id!r})", "annotations of an image that is not listed")
    return records


def _record(
    image: object, number: int, file: Path, split: str | None, crops: dict[object, list], problems: Problems
) -> list[CropRecord]:
    place = f"{file} (image {number})"
    if not isinstance(image, dict) or not isinstance(image.get("id"), int | str):
        problems.add(place, "not an object with 'id' and 'file_name'")
        return []
    found, name = crops.pop(image["id"], []), image.get("file_name")
    if fault := name_fault(name):
        problems.add(place, fault)
        return []
    if not found:
        problems.add(place, "no usable crop")
        return []
    scores = [crop.get("score") for crop in found]
    if None in scores and any(score is not None for score in scores):
        problems.add(place, "some of its crops have a score and some have none")
        return []
    size = numbers([image.get("width"), image.get("height")], 2)
    boxes = np.array([numbers(crop["bbox"], 4) for crop in found])
    boxes[:, 2:] += boxes[:, :2]
    img_id = image.get("img_id") if isinstance(image.get("img_id"), str) else without_suffix(name)
    return [
        CropRecord(
            img_id,
            name,
            boxes,
            None if scores[0] is None else np.array(scores, np.float64),
            size=(int(size[0]), int(size[1])) if size else None,
            extra={"split": split} if split else {},
        )
    ]


def _crop_fault(crop: object) -> str | None:
    box = numbers(crop.get("bbox"), 4) if isinstance(crop, dict) else None
    if box is None or not isinstance(crop.get("image_id"), int | str):
        return "not an object with 'image_id' and 'bbox' [x, y, width, height]"
    x, y, width, height = box
    score = crop.get("score")
    if score is not None and (type(score) not in (int, float) or not np.isfinite(score)):
        return "score is not a finite number"
    return box_fault((x, y, x + width, y + height))

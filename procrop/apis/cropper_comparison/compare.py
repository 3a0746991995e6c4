"""From photos and rows to a table: what ``tools/compare_croppers.py`` does."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from procrop.datasets.formats.spec import parse_spec
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropSet
from procrop.evaluation.comparison import Draws
from procrop.evaluation.evaluation_photos import EvaluationPhotos, open_photos
from procrop.evaluation.named_protocols import NEED_SCORES, default_protocols, make_protocols
from procrop.evaluation.predictions import read_predictions
from procrop.evaluation.protocols.iou_disp import IoUDisp

from .cropper_row import ComparedPhoto, CropperRow
from .gains import CropperTable, measure_rows
from .prediction_store import PredictionStore

_USABLE_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")


@dataclass
class ComparedDataset:
    """The dataset of a comparison.

    Attributes:
        crops: what was read.
        photos: the records to be measured, with the sizes of their photos.
        left_out: photos that are not on the disk.
    """

    crops: CropSet
    photos: EvaluationPhotos
    left_out: int

    def listed(self) -> list[ComparedPhoto]:
        """The photos for the rows."""
        sizes = self.photos.sizes
        return [
            ComparedPhoto(record, self.crops.photo_path(record), sizes[record.img_id])
            for record in self.photos.records
        ]


def open_dataset(spec: str, tag: str | None = None, present: bool = False) -> ComparedDataset:
    """Read a dataset whose photos are there.

    Args:
        spec: ``FORMAT:ROOT[:SPLIT]``.
        tag: only the records of this subset.
        present: leave out photos that are not on the disk.

    Raises:
        ValueError: Photos are missing and ``present`` is not set, or all of them are.
    """
    crops = parse_spec(spec).read(strict=False)
    photos = open_photos(crops, spec, tag)
    kept = [record for record in photos.records if os.path.isfile(crops.photo_path(record))]
    missing = len(photos.records) - len(kept)
    if not kept or (missing and not present):
        remedy = f"put them into {crops.photos}"
        if kept:
            remedy += f", or compare on the {len(kept)} that are there with --present"
        raise ValueError(f"{spec}: {missing} of {len(photos.records)} photos are not there; {remedy}")
    photos.records = kept
    photos.check_sizes()
    return ComparedDataset(crops, photos, missing)


def choose_protocol(photos: EvaluationPhotos, name: str | None = None) -> IoUDisp:
    """The protocol of a name, by default that of the dataset: the best annotated crop where crops have scores, else
    the one that fits best; without floors, which are rows.

    Raises:
        ValueError: It is no protocol of IoU and Disp, or needs scores that the dataset has not.
    """
    if name is None:
        name = "crop_best" if "crop_best" in default_protocols(photos.scored, False) else "crop"
    (protocol, *_) = make_protocols([name])
    if not isinstance(protocol, IoUDisp):
        raise ValueError(f"--protocol {name}: croppers are compared by IoU and Disp; take crop or crop_best")
    if name in NEED_SCORES and not photos.scored:
        raise ValueError(f"--protocol {name}: {photos.name} has no scores; take crop")
    protocol.floors = False
    return protocol


def check_names(rows: Sequence[CropperRow]) -> None:
    """Raise a ValueError if a row cannot be a file, or two have one name."""
    seen: set[str] = set()
    for row in rows:
        if not _USABLE_NAME.fullmatch(row.name):
            raise ValueError(
                f"{row.name!r} cannot be a row's name: letters, digits, '.', '_', '+' and '-'; name it NAME=..."
            )
        if row.name in seen:
            raise ValueError(f"two rows are called {row.name!r}; name one of them: other=...")
        seen.add(row.name)


def compare_rows(
    dataset: ComparedDataset,
    store: PredictionStore,
    rows: Sequence[CropperRow],
    protocol: IoUDisp,
    draws: Draws,
) -> tuple[CropperTable, dict[str, Problems]]:
    """Measure the kept predictions of rows.

    Returns:
        The table, and what could not be used of each row; photos it rejected are misses.
    """
    records, problems = {}, {}
    for row in rows:
        problems[row.name] = Problems()
        for img_id, reason in store.rejected(row).items():
            problems[row.name].add(img_id, reason)
        said = Problems()  # a photo that was rejected would be named twice
        found = read_predictions(store.path(row), problems[row.name])
        records[row.name] = dataset.photos.with_predictions(found, said)
    about = {row.name: row.about for row in rows}
    return measure_rows(protocol, records, about, draws), problems

"""Whether a dataset's records agree with themselves and with the sizes of their photos."""

import os

import numpy as np

from ..formats.base import box_fault
from ..problems import Problems
from ..records import CropRecord, CropSet


def check_crops(found: CropSet, sizes: dict[str, tuple[int, int]]) -> Problems:
    """Look for crops and subjects outside their photos, crops scored twice, and photos that records share.

    Several equal crops of a photo are no fault in a format without scores, where each is another person's choice.

    Args:
        found: The dataset.
        sizes: (width, height) of the photos whose size is known, by name.

    Returns:
        Each place with its reason.
    """
    problems = Problems()
    users: dict[str, list[CropRecord]] = {}
    for record in found.records:
        users.setdefault(record.photo, []).append(record)
        size = sizes.get(record.photo)
        if size is not None:
            _check_inside(record, size, problems)
        if record.scores is not None:
            _check_repeats(record, problems)
    for name, records in users.items():
        if len(records) > 1 and any(record.subject is None and record.mask is None for record in records):
            ids = ", ".join(record.img_id for record in records[:4])
            problems.add(
                f"{name} ({ids})", "photo in several records without a subject that tells them apart"
            )
    return problems


def check_sizes(found: CropSet, sizes: dict[str, tuple[int, int]], problems: Problems) -> None:
    """Report photos whose own size, from ``sizes``, is not the one that their annotation states."""
    for record in found.records:
        size = sizes.get(record.photo)
        if None not in (size, record.size) and tuple(record.size) != tuple(size):
            stated, own = ("x".join(map(str, one)) for one in (record.size, size))
            place = f"{os.fspath(found.photo_path(record))} ({own}, stated: {stated})"
            problems.add(place, "photo of another size than its annotation states")


def _check_inside(record: CropRecord, size: tuple[int, int], problems: Problems) -> None:
    for number, box in enumerate(record.boxes.tolist(), start=1):
        if fault := box_fault(box, size):
            shown = " ".join(f"{value:g}" for value in box)
            problems.add(f"{record.img_id} (crop {number}: {shown}; photo {size[0]}x{size[1]})", fault)
    if record.subject is not None and (fault := box_fault(record.subject.tolist(), size)):
        problems.add(f"{record.img_id} (subject)", fault.replace("crop", "subject"))


def _check_repeats(record: CropRecord, problems: Problems) -> None:
    _, counts = np.unique(record.boxes, axis=0, return_counts=True)
    if (counts > 1).any():
        problems.add(f"{record.img_id} ({int((counts - 1).sum())} crops)", "crop scored twice")

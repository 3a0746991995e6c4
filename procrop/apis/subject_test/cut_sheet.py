"""A sheet of the subjects that were cut."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from procrop.evaluation.subject_kept import can_be_kept, keeps_whole
from procrop.io import read_photo
from procrop.visualization.contact_sheet import ContactSheet, SheetRow

from .ask import Answers


def draw_cut_subjects(
    path: str | os.PathLike,
    answers: Answers,
    ratios: Mapping[str, float],
    skip: tuple[str, ...] = ("oracle",),
) -> list[Path]:
    """Draw each photo and ratio of which a cropper cuts the subject, with the subject dashed and all croppers' crops.

    Args:
        path: the first page, a .png or .jpg.
        answers: the crops; photos that a cropper rejected are left out.
        ratios: ratio as it was written -> width / height.
        skip: croppers that are not drawn.

    Returns:
        The pages; none if no subject was cut.
    """
    names = [name for name in answers.crops if name not in skip]
    heading = "cut subjects: " + ", ".join(f"{rank} {name}" for rank, name in enumerate(names, start=1))
    with ContactSheet(path, len(names), references=False, heading=heading, ordered=False) as sheet:
        for number, (known, file) in enumerate(zip(answers.subjects, answers.paths, strict=True)):
            for text, ratio in ratios.items():
                crops = [answers.crops[name][text][number] for name in names]
                if any(crop is None for crop in crops) or not can_be_kept(known.subject, known.size, ratio):
                    continue
                by = [
                    name
                    for name, crop in zip(names, crops, strict=True)
                    if not keeps_whole(crop, known.subject, known.size)
                ]
                if by:
                    title = f"{known.what}, {text}, cut by {', '.join(by)}"
                    subject, note = np.array(known.subject), f"{known.dataset} {known.file}"
                    photo = read_photo(file)
                    sheet.add(SheetRow(title, photo, np.array(crops), None, note=note, subject=subject))
    return sheet.pages

"""All photos to all croppers."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from procrop.datasets.problems import Problems
from procrop.evaluation.known_subjects import KnownSubject
from procrop.io import read_photo

from .ratio_croppers import RatioCropper, RatioQuestion


@dataclass(eq=False)
class Answers:
    """What the croppers said.

    Attributes:
        subjects: the photos that were asked about.
        paths: their files.
        crops: cropper -> ratio -> a crop (4,) ``xyxy`` for each photo, or None where it was rejected.
        problems: cropper and photo, with the reason of a rejection.
    """

    subjects: list[KnownSubject]
    paths: list[Path]
    crops: dict[str, dict[str, list[np.ndarray | None]]]
    problems: Problems = field(default_factory=Problems)


def photo_folders(given: Sequence[str], datasets: Sequence[str]) -> dict[str, Path]:
    """Folders by dataset, of NAME=FOLDER; the photos that come with scikit-image are found by themselves.

    Raises:
        ValueError: Not NAME=FOLDER, a name twice, one that no photo is of, or no such folder.
    """
    folders: dict[str, Path] = {}
    for text in given:
        name, _, place = text.partition("=")
        if not name or not place:
            raise ValueError(f"--photos {text!r}: write NAME=FOLDER, e.g. bsds500=data/bsds500")
        if name not in datasets:
            raise ValueError(
                f"--photos {text!r}: no known subject is of {name!r}, but of {', '.join(datasets)}"
            )
        if name in folders:
            raise ValueError(f"--photos {text!r}: {name} is given twice; leave one out")
        if not Path(place).is_dir():
            raise ValueError(f"--photos {text!r}: {place} is no folder; name the one that holds the photos")
        folders[name] = Path(place)
    if "skimage" in datasets and "skimage" not in folders:
        import skimage

        folders["skimage"] = Path(skimage.__file__).parent / "data"
    return folders


def ask_croppers(
    subjects: Sequence[KnownSubject],
    folders: Mapping[str, str | os.PathLike],
    croppers: Mapping[str, RatioCropper],
    ratios: Mapping[str, Fraction],
) -> Answers:
    """Crop the photos of the datasets whose folder is known.

    Args:
        subjects: the photos.
        folders: dataset -> folder of its photos; photos of others are left out.
        croppers: by name.
        ratios: ratio as it was written -> width / height.

    Raises:
        ValueError: A photo is missing or of another size than its subject is known in, or no photo is left.
    """
    subjects = [known for known in subjects if known.dataset in folders]
    if not subjects:
        raise ValueError("no photo to ask about; say where they are with --photos NAME=FOLDER")
    answers = Answers(
        subjects,
        [Path(folders[known.dataset]) / known.file for known in subjects],
        {name: {text: [] for text in ratios} for name in croppers},
    )
    for path in answers.paths:  # before the work of the others is lost
        if not path.is_file():
            raise ValueError(f"{path}: no such photo; is its folder the right one (--photos)?")
    for known, path in zip(subjects, answers.paths, strict=True):
        _check_size(path, known)
    for known, path in zip(subjects, answers.paths, strict=True):
        question = RatioQuestion(known, path, read_photo(path), ratios)
        for name, cropper in croppers.items():
            try:
                crops = cropper(question)
            except ValueError as error:
                answers.problems.add(f"{name}: {path}", str(error))
                crops = {}
            for text in ratios:
                answers.crops[name][text].append(crops.get(text))
    return answers


def _check_size(path: Path, known: KnownSubject) -> None:
    height, width = read_photo(path).shape[:2]
    size = width, height
    if size != known.size:
        raise ValueError(
            f"{path}: is {size[0]} x {size[1]} pixels, and its subject is known in {known.size[0]} x {known.size[1]}; "
            "take the photo as it was published"
        )

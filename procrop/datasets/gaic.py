"""GAICD, the grid-anchor based cropping dataset, versions 1 (2019) and 2 (2020)."""

import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from procrop.io import PHOTO_SUFFIXES, PhotoError
from procrop.io.photo import read_photo_size
from procrop.registry import DATASETS

from .base import AnnotationError, CropDataset, DatasetNotFoundError
from .positives import select_positives

_SPLITS = ("train", "val", "test")
_UNSCORED = -2.0
# pixels by which a crop may leave its photo and still be taken for a rounding error, and clipped
BORDER_TOLERANCE = 2.0
_LARGEST = 1e6
_SHOWN = 5
_SOURCE = (
    "The download is linked from the GitHub page HuiZeng/Grid-Anchor-based-Image-Cropping-Pytorch; unpack\n"
    "it so that the folders above exist, or point data_root at it.\n"
    "Without the data, `make quickstart` runs the whole job on drawn photos; or step by step:\n"
    "`python tools/make_toy_dataset.py data/toy --images 600`, then as in docs/getting_started.md with\n"
    "configs/procrop_toy.py."
)
# the folder that the toy configs and the docs name
_TOY_SOURCE = "These photos are drawn by: python tools/make_toy_dataset.py {root} --images 600"


def parse_gaic_annotation(path: str | Path, strict: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Read one annotation file: lines ``y1 x1 y2 x2 MOS`` in pixels of the photo.

    Lines with MOS -2 (never scored) and blank lines are passed over; a byte order mark and CRLF do no harm.

    Args:
        path: the file.
        strict: raise for a line that cannot be used, instead of leaving it out.

    Returns:
        The scored crops in file order: boxes (n, 4) float32 xyxy pixels, scores (n,) float32.

    Raises:
        AnnotationError: the file cannot be read; or, when ``strict``, a line cannot be used or no crop is scored.
    """
    bboxes, scores, problems = _read_annotation(Path(path))
    if problems and strict:
        _raise_problems([(f"{path}:{line}", reason) for line, reason in problems])
    return bboxes, scores


@DATASETS.register_module()
class GAICDataset(CropDataset):
    """GAICD: photos with up to 90 grid crops each, scored by several annotators.

    Photos lie in ``images/{split}/<id>.jpg``, annotations in ``annotations/{split}/<id>.txt`` or
    ``annotations/<id>.txt``. The ids of a split are the lines of ``splits/{split}.txt`` if that file exists, else
    the photos of the split's folder.

    Version 1 was published without a validation split. Unless ``images/val`` has photos, ``splits/val.txt``
    has to say which of the photos under ``train`` are ``val``; photos and annotations of ``val`` are looked for in its
    own folders, then in those of ``train``. In version 1 ``train`` never has a photo that ``splits/val.txt`` names:
    without ``splits/train.txt`` it is all the others of its folder, and an id in both files is an error.

    A file or line that cannot be used is an error that names it. With ``strict=False`` it is dropped, and
    ``report`` says what was dropped: reason -> list of places ('file:line', with what was expected where a file
    is missing).

    Args:
        data_root: the dataset's folder.
        split: "train", "val" or "test".
        version: "v1" or "v2".
        positive_threshold: MOS from which a crop is positive.
        positive_fallback: without a crop of that MOS, take all that share the highest one.
        strict: see above.
        check_sizes: compare boxes and photo while the list is made (reads every photo's header); otherwise
            LoadCropAnnotations does so when the photo is loaded.
        split_file: file of ids to use instead of ``splits/{split}.txt``, relative to ``data_root``. It is taken as it
            is: what it shares with another split is up to who wrote it.
        **kwargs: arguments of CropDataset: ``pipeline``, ``test_mode``, ``seed``, ``indices``, ...

    Raises:
        DatasetNotFoundError: folders or the split file are missing, or what tells ``val`` from ``train`` is.
        AnnotationError: some files or lines cannot be used (``strict``), or none at all can.
    """

    def __init__(
        self,
        data_root: str,
        split: str = "train",
        version: str = "v2",
        positive_threshold: float = 4.0,
        positive_fallback: bool = True,
        strict: bool = True,
        check_sizes: bool = False,
        split_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        if split not in _SPLITS:
            raise ValueError(f"split must be one of {_SPLITS}, got {split!r}")
        if version not in ("v1", "v2"):
            raise ValueError(f"version must be 'v1' or 'v2', got {version!r}")
        self.split = split
        self.version = version
        self.positive_threshold = positive_threshold
        self.positive_fallback = positive_fallback
        self.strict = strict
        self.check_sizes = check_sizes
        self.split_file = split_file
        self.report: dict[str, list[str]] = {}
        super().__init__(data_root=str(data_root), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Find the photos of the split and read their annotations."""
        self.report = {}
        root = Path(self.data_root)
        self.check_files()
        photo_folders = [folder for folder in self._folders("images") if folder.is_dir()]
        photos = _photos_by_id(photo_folders)
        if not photos:
            raise DatasetNotFoundError(self._how_to_get(f"no photo in {photo_folders[0]}"))
        annotation_folders = [*self._folders("annotations"), root / "annotations"]
        problems: list[tuple[str, str]] = []
        data_list = []
        for img_id, place in self._ids(root, photos, problems):
            expected = f"images/{self.split}/{img_id}.jpg"
            photo = _pick(photos.get(img_id, []), expected, place, "photo", root, problems)
            files = [folder / f"{img_id}.txt" for folder in annotation_folders]
            files = [file for file in files if file.is_file()][:1]  # the split's own folder first
            expected = f"annotations/{self.split}/{img_id}.txt or annotations/{img_id}.txt"
            file = _pick(files, expected, place, "annotation", root, problems)
            if photo and file:
                data_list += self._read_sample(img_id, photo, file, problems)
        if problems and self.strict:
            _raise_problems(problems)
        for place, reason in problems:
            self.report.setdefault(reason, []).append(place)
        if not data_list:
            raise AnnotationError(
                f"{root}: split {self.split!r} has no usable sample; {_summary(self.report)}"
            )
        return data_list

    def check_files(self) -> None:
        """See whether the folders and the split file are there, without reading them.

        Raises:
            DatasetNotFoundError: they are not.
        """
        root, file = Path(self.data_root), self._split_path()
        if not (root / "annotations").is_dir() or not any(map(Path.is_dir, self._folders("images"))):
            raise DatasetNotFoundError(self._how_to_get("a folder is missing"))
        if self.split_file and not file.is_file():
            raise DatasetNotFoundError(self._how_to_get(f"the split file {file} is missing"))
        if self._is_part_of_train() and not file.is_file():
            raise DatasetNotFoundError(
                self._how_to_get(f"nothing says which photos of {root / 'images/train'} are for validation")
            )

    def _folders(self, kind: str) -> list[Path]:
        """Where "images" or "annotations" of the split may lie, the likeliest first."""
        names = [self.split] + ["train"] * (self.version == "v1" and self.split == "val")
        return [Path(self.data_root, kind, name) for name in names]

    def _split_path(self) -> Path:
        return Path(self.data_root, self.split_file or f"splits/{self.split}.txt")

    def _is_part_of_train(self) -> bool:
        """Whether the split has no photos of its own: they lie among those of train."""
        return self.version == "v1" and self.split == "val" and not self._own_photos()

    def _own_photos(self) -> dict[str, list[Path]]:
        """Photos of the split's own folder by id."""
        return _photos_by_id([folder for folder in self._folders("images")[:1] if folder.is_dir()])

    def _ids(
        self, root: Path, photos: dict[str, list[Path]], problems: list[tuple[str, str]]
    ) -> Iterator[tuple[str, str]]:
        """Yield each id of the split with the place that names it."""
        file, seen, held_out = self._split_path(), set(), set()
        if self.version == "v1" and self.split == "train" and not self.split_file:
            held_out = {img_id for _, img_id in _listed(root / "splits/val.txt")}
        if not file.is_file():
            for img_id in sorted(self._own_photos().keys() - held_out):
                yield img_id, str(photos[img_id][0])
            return
        for number, img_id in _listed(file):
            place = f"{file}:{number}"
            if img_id in (".", "..") or "/" in img_id or "\\" in img_id or "\0" in img_id:
                problems.append((place, "name that leaves the dataset's folders"))
            elif img_id in seen:
                problems.append((place, "name listed twice"))
            elif img_id in held_out:
                problems.append((f"{place} ({img_id!r})", "name listed in splits/val.txt too"))
            else:
                seen.add(img_id)
                yield img_id, place

    def _read_sample(
        self, img_id: str, photo: Path, file: Path, problems: list[tuple[str, str]]
    ) -> list[dict]:
        bboxes, scores, bad_lines = _read_annotation(file)
        problems += [(f"{file}:{line}", reason) for line, reason in bad_lines]
        if self.check_sizes:
            try:
                size = read_photo_size(photo)
            except PhotoError as error:
                problems.append((str(photo), error.reason))
                return []
            inside = (bboxes <= np.array([*size, *size]) + BORDER_TOLERANCE).all(axis=1)
            if not inside.all():
                problems.append((str(file), "crop outside its photo"))
                bboxes, scores = bboxes[inside], scores[inside]
        if not len(bboxes):
            return []
        positives = select_positives(scores, self.positive_threshold, self.positive_fallback)
        return [
            dict(
                img_path=str(photo),
                img_id=img_id,
                source_id=img_id,
                gt_bboxes=bboxes,
                gt_scores=scores,
                gt_positives=positives,
            )
        ]

    def _how_to_get(self, reason: str) -> str:
        root, split = self.data_root, self.split
        ids, own = "optional: one id per line", split
        if self._is_part_of_train():
            ids, own = "one id per line: the photos of images/train that are for validation", "train"
        text = (
            f"GAICD {self.version}, split {split!r}, was not found in {root!r}: {reason}.\n"
            "Expected files:\n"
            f"  {root}/images/{own}/<id>.jpg\n"
            f"  {root}/annotations/{own}/<id>.txt or {root}/annotations/<id>.txt\n"
            f"  {self._split_path()} ({ids})\n"
        )
        if self._is_part_of_train() and not self.split_file:
            folder = shlex.quote(str(root))
            text += (
                "Version 1 was published without a validation split, so you choose one, e.g. every 20th photo:\n"
                f"  mkdir -p {folder}/splits && ls {folder}/images/train | awk 'NR % 20 == 0' > "
                f"{folder}/splits/val.txt\n"
                "Training then leaves these photos out.\n"
            )
        return text + (_TOY_SOURCE.format(root=root) if Path(root).name == "toy" else _SOURCE)


def _listed(file: Path) -> list[tuple[int, str]]:
    """Ids of a split file with their line numbers; none if it does not exist."""
    lines = _lines(file) if file.is_file() else []
    ids = [(number, _without_suffix(line.strip())) for number, line in lines]
    return [(number, img_id) for number, img_id in ids if img_id]


def _lines(path: Path) -> list[tuple[int, str]]:
    """Numbered lines of a text file; what is not UTF-8 is kept, as characters that are no numbers."""
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise AnnotationError(f"{path}: the file cannot be read ({error}); check its permissions") from error
    return list(enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1))


def _read_annotation(path: Path) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]:
    """Scored crops of a file in file order, and its problems as (line, reason)."""
    bboxes, scores, problems = [], [], []
    for number, line in _lines(path):
        if not line.strip():
            continue
        values = _numbers(line)
        reason = "not 5 numbers 'y1 x1 y2 x2 MOS'" if values is None else _fault(*values)
        if reason:
            problems.append((number, reason))
        elif values[4] != _UNSCORED:
            y1, x1, y2, x2, score = values
            bboxes.append((x1, y1, x2, y2))
            scores.append(score)
    if not bboxes and not problems:
        problems.append((1, "no scored crop in the file"))
    boxes = np.array(bboxes, dtype=np.float32).reshape(-1, 4)
    return boxes, np.array(scores, dtype=np.float32), problems


def _numbers(line: str) -> list[float] | None:
    fields = line.split()
    if len(fields) != 5 or "_" in line:  # Python reads 1_000 as a number
        return None
    try:
        return [float(field) for field in fields]
    except ValueError:
        return None


def _fault(y1: float, x1: float, y2: float, x2: float, score: float) -> str | None:
    """Say what is wrong with one crop, if anything is."""
    if not all(math.isfinite(value) and abs(value) < _LARGEST for value in (y1, x1, y2, x2, score)):
        return "NaN, infinite or absurdly large number"
    if score == _UNSCORED:
        return None
    if not 0 <= score <= 5:
        return "MOS outside 0 to 5 (-2 marks a crop that was not scored)"
    if x2 <= x1 or y2 <= y1:
        return "crop without area (y2 <= y1 or x2 <= x1)"
    if min(y1, x1) < -BORDER_TOLERANCE:
        return "crop outside its photo"
    return None


def _without_suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if f"{dot}{suffix}".lower() in PHOTO_SUFFIXES else name


def _photos_by_id(folders: list[Path]) -> dict[str, list[Path]]:
    """Photos of the first folder that has them, by file name without suffix."""
    photos: dict[str, list[Path]] = {}
    for folder in folders:
        found: dict[str, list[Path]] = {}
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in PHOTO_SUFFIXES:
                found.setdefault(_without_suffix(path.name), []).append(path)
        photos = {**found, **photos}
    return photos


def _pick(
    paths: list[Path], expected: str, place: str, kind: str, root: Path, problems: list[tuple[str, str]]
) -> Path | None:
    """The one usable path, or None and a problem."""
    if not paths:
        problems.append((f"{place} (expected {expected})", f"{kind} missing"))
    elif len(paths) > 1:
        problems.append((str(paths[0]), f"{kind} present twice, as {paths[1].suffix} too"))
    elif paths[0].is_symlink() and not _stays_inside(paths[0], root):
        problems.append((str(paths[0]), f"{kind} is a link that leaves the dataset's folders"))
    else:
        return paths[0]
    return None


def _stays_inside(path: Path, root: Path) -> bool:
    # a linked folder was put there by the user and may lie anywhere; a linked file may not lead out of it
    target = path.resolve()
    return target.is_relative_to(root.resolve()) or target.is_relative_to(path.parent.resolve())


def _summary(report: dict[str, list[str]]) -> str:
    return "; ".join(f"{len(places)} x {reason}" for reason, places in report.items()) or "the split is empty"


def _raise_problems(problems: list[tuple[str, str]]) -> None:
    shown = "".join(f"\n  {place}: {reason}" for place, reason in problems[:_SHOWN])
    more = f"\n  ... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise AnnotationError(
        f"{len(problems)} annotation problem(s):{shown}{more}\n"
        "Correct or restore these files, or set strict=False to leave them out and count them."
    )

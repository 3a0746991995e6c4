"""Write a toy data set to disk in the layout of GAICD v2, with its gallery; stop and go on at any time.

OUT/images/{train,val,test}/<id>.jpg, OUT/annotations/{train,val,test}/<id>.txt (lines `y1 x1 y2 x2 MOS`),
OUT/gallery/<id>.jpg, OUT/scenes.jsonl (what each photo shows), OUT/README.md and OUT/toy.json (the settings); of
photos with two subjects OUT/captions.jsonl and OUT/captions_swapped.jsonl as well, lines {"id", "caption"}.
"""

import io
import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from procrop.datasets.toy import rule
from procrop.datasets.toy.hidden_style import sample_gallery_scene, sample_query_scene
from procrop.datasets.toy.painter import paint
from procrop.datasets.toy.readme import readme_text
from procrop.datasets.toy.scene import Scene, sample_look, sample_scene
from procrop.datasets.toy.settings import Job, ToyDatasetError, ToySettings
from procrop.datasets.toy.two_subjects import SIDES, sample_pair_scene, swap_subjects
from procrop.io.atomic import write_bytes, write_text
from procrop.io.progress import progress

__all__ = ["ToyDatasetError", "read_scenes", "write_toy_dataset"]

VERSION = 1  # of the pictures and of the rule: raise it when either changes
SETTINGS_FILE, SCENES_FILE, README_FILE = "toy.json", "scenes.jsonl", "README.md"
CAPTION_FILES = ("captions.jsonl", "captions_swapped.jsonl")


def write_toy_dataset(
    out: str | os.PathLike, settings: ToySettings, workers: int = 1, replace: bool = False
) -> int:
    """Make a toy data set, or finish one that was begun with the same settings.

    The bytes depend on the settings (and the versions of numpy and Pillow), not on `workers` or interruptions.

    Args:
        out: folder to write to; empty, new, or begun by this function.
        settings: what to make.
        workers: number of processes that paint.
        replace: remove a toy data set of other settings that is there, instead of refusing; what else lies in
            `out` (a gallery's index, neighbour tables) stays.

    Returns:
        How many photos were painted now; 0 when everything was there.

    Raises:
        ToyDatasetError: `out` holds something else.
    """
    out, jobs = Path(out), settings.jobs()
    _claim(out, settings, replace)
    present = {folder: _names(out / folder) for folder in {_photo_path(job).parent for job in jobs}}
    missing = [job for job in jobs if _photo_path(job).name not in present[_photo_path(job).parent]]
    texts = [README_FILE, *(CAPTION_FILES if settings.two_subjects else ()), SCENES_FILE]
    if not missing and all((out / name).is_file() for name in texts):
        return 0
    make = partial(_make_photo, out=out, settings=settings)
    for _ in progress(
        _map(make, missing, workers), total=len(jobs), desc="toy photos", initial=len(jobs) - len(missing)
    ):
        pass
    records = list(_map(partial(_describe, settings=settings), jobs, workers))
    write_text(out / README_FILE, readme_text(settings, records))
    if settings.two_subjects:
        _write_captions(out, jobs)
    write_text(out / SCENES_FILE, "".join(json.dumps(record) + "\n" for record in records))
    return len(missing)


def read_scenes(root: str | os.PathLike) -> list[dict[str, Any]]:
    """Read what the photos of a toy data set show.

    Args:
        root: folder of the data set.

    Returns:
        One dict per photo: id, split, size [w, h], subject [x1, y1, x2, y2], best (not for the gallery), and in
        the hidden-style mode family, style, best_opposite, blind (box) and blind_iou; in the two-subjects mode
        kind and side (of the named subject), other_kind, other_subject, best_other, blind and blind_iou. Boxes are
        xyxy pixels.

    Raises:
        ToyDatasetError: there is no complete toy data set.
    """
    path = Path(root) / SCENES_FILE
    if not path.is_file():
        raise ToyDatasetError(f"{path} is missing: make the data set with tools/make_toy_dataset.py {root}")
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _claim(out: Path, settings: ToySettings, replace: bool) -> None:
    """Make `out` ours, or check that it was begun with the same settings."""
    wanted = {"format": "procrop toy data set", "version": VERSION, "settings": settings.as_dict()}
    path = out / SETTINGS_FILE
    if out.exists() and not out.is_dir():
        raise ToyDatasetError(f"{out} is not a folder: name a new folder")
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            previous = found["settings"]
        except (ValueError, KeyError, TypeError) as error:
            raise ToyDatasetError(
                f"{path} cannot be read ({error}): remove {out} or name another folder"
            ) from None
        if found != wanted:
            theirs = {**previous, "version": found.get("version")}
            ours = {**wanted["settings"], "version": VERSION}
            changed = sorted(k for k in theirs.keys() | ours.keys() if theirs.get(k) != ours.get(k))
            detail = ", ".join(f"{k} {theirs.get(k)} (asked for {ours.get(k)})" for k in changed)
            if not replace:
                raise ToyDatasetError(
                    f"{out} holds another toy data set: {detail}; add --replace, remove it or name another folder"
                )
            _remove(out)
            write_text(path, json.dumps(wanted, indent=1) + "\n")
        return
    if out.is_dir() and any(out.iterdir()):
        raise ToyDatasetError(f"{out} is not empty and holds no toy data set: name a new or empty folder")
    write_text(path, json.dumps(wanted, indent=1) + "\n")


def _remove(out: Path) -> None:
    """Remove the files of a toy data set, the settings last: a stop in between leaves it recognisable."""
    for folder in ("images", "annotations", "gallery"):
        shutil.rmtree(out / folder, ignore_errors=True)
    for name in (SCENES_FILE, *CAPTION_FILES, README_FILE, SETTINGS_FILE):
        (out / name).unlink(missing_ok=True)


def _write_captions(out: Path, jobs: list[Job]) -> None:
    """Write the captions that name the right subject, and those that name the other one."""
    for number, name in enumerate(CAPTION_FILES):
        lines = (json.dumps({"id": job.id, "caption": job.pair.captions[number]}) + "\n" for job in jobs)
        write_text(out / name, "".join(lines))


def _names(folder: Path) -> set[str]:
    """Names of the photos in a folder (none when it does not exist)."""
    return {entry.name for entry in os.scandir(folder)} if folder.is_dir() else set()


def _map(function: partial, jobs: list[Job], workers: int):  # noqa: ANN202
    """Results of `function` over `jobs` in order, from `workers` processes."""
    if workers <= 1 or len(jobs) < 32:
        yield from map(function, jobs)
        return
    import multiprocessing

    with multiprocessing.Pool(workers) as pool:
        yield from pool.imap(function, jobs, chunksize=16)


def _photo_path(job: Job) -> Path:
    folder = Path("gallery") if job.split == "gallery" else Path("images") / job.split
    return folder / f"{job.id}.jpg"


def _scene(job: Job, settings: ToySettings) -> tuple[Scene, np.random.Generator]:
    """The scene of a job, and the generator for all that is drawn after it."""
    rng = np.random.default_rng([settings.seed, *job.key])
    aspect = settings.size[0] / settings.size[1]
    if job.pair is not None:
        scene = sample_pair_scene(rng, job.pair.kinds, aspect)
        return swap_subjects(scene) if job.pair.named else scene, rng
    if job.family is None:
        return sample_scene(rng, sample_look(rng), aspect), rng
    sample = sample_gallery_scene if job.split == "gallery" else sample_query_scene
    return sample(rng, settings.plan.look(job.family), aspect), rng


def _frame(
    job: Job, scene: Scene, rng: np.random.Generator, settings: ToySettings
) -> tuple[int, int, int, int]:
    """Part of the painted scene that the photo shows, xyxy pixels: all of it, or a professional's framing."""
    width, height = settings.size
    if job.split != "gallery":
        return 0, 0, width, height
    shares = rng.uniform(0.62, 0.7, 1) if job.family is not None else np.linspace(0.55, 0.85, 5)
    frame = rule.best_framing(scene, shares, job.style) * (width, height, width, height)
    x1, y1, x2, y2 = (int(v) for v in np.round(frame))
    return x1, y1, x2, y2


def _make_photo(job: Job, out: Path, settings: ToySettings) -> None:
    """Write the annotation and then the photo of one job: a photo that exists is complete."""
    scene, rng = _scene(job, settings)
    x1, y1, x2, y2 = _frame(job, scene, rng, settings)
    quality = int(rng.integers(80, 96))
    if job.split != "gallery":
        write_text(out / "annotations" / job.split / f"{job.id}.txt", _annotation(job, scene, rng, settings))
    buffer = io.BytesIO()
    pixels = paint(scene, *settings.size)[y1:y2, x1:x2]
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=quality)
    write_bytes(out / _photo_path(job), buffer.getvalue())


def _annotation(job: Job, scene: Scene, rng: np.random.Generator, settings: ToySettings) -> str:
    """GAICD lines `y1 x1 y2 x2 MOS` of all annotated crops."""
    boxes = rule.annotated_boxes(scene, *settings.size)
    scores = rule.score_crops(scene, rule.to_fractions(boxes, *settings.size), job.style)
    noise = rule.STYLED_ANNOTATOR_NOISE if job.one_favourite else rule.ANNOTATOR_NOISE
    mos = rule.annotate(scores, rng, noise, keep_best=job.one_favourite)
    rows = zip(boxes.astype(int).tolist(), mos, strict=True)
    return "".join(f"{y1} {x1} {y2} {x2} {score:.2f}\n" for (x1, y1, x2, y2), score in rows)


def _describe(job: Job, settings: ToySettings) -> dict[str, Any]:
    """The line of scenes.jsonl of one job."""
    scene, rng = _scene(job, settings)
    x1, y1, x2, y2 = _frame(job, scene, rng, settings)
    width, height = settings.size
    scale, origin = np.array([width, height, width, height]), (x1, y1, x1, y1)
    record: dict[str, Any] = {"id": job.id, "split": job.split, "size": [x2 - x1, y2 - y1]}
    record["subject"] = np.round(scene.subject * scale - origin, 1).tolist()
    if job.family is not None:
        record |= {"family": job.family, "style": job.style}
    if job.split == "gallery":
        return record
    best = rule.best_crop(scene, width, height, job.style)
    record["best"] = best.astype(int).tolist()
    if job.style is not None:
        opposite = rule.best_crop(scene, width, height, rule.STYLES[1 - rule.STYLES.index(job.style)])
        record |= {"best_opposite": opposite.astype(int).tolist(), **_blind(best, opposite)}
    if job.pair is not None:
        kinds, named = job.pair.kinds, job.pair.named
        record |= {"kind": kinds[named], "side": SIDES[named], "other_kind": kinds[1 - named]}
        record["other_subject"] = np.round(scene.second[1] * scale, 1).tolist()
        other = rule.best_crop(swap_subjects(scene), width, height)
        record |= {"best_other": other.astype(int).tolist(), **_blind(best, other)}
    return record


def _blind(best: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """The best guess for who cannot tell which of two crops is wanted, and the IoU that it can expect."""
    box, iou = rule.blind_box(best, other)
    return {"blind": np.round(box, 1).tolist(), "blind_iou": round(iou, 4)}

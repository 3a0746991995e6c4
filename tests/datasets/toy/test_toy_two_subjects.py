"""Two subjects and a caption: which one to keep is told by photo and caption together, and by neither alone."""

import hashlib
import inspect
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procrop.datasets.toy import rule
from procrop.datasets.toy.painter import paint
from procrop.datasets.toy.scene import sample_look, sample_scene
from procrop.datasets.toy.settings import ToyDatasetError, ToySettings
from procrop.datasets.toy.two_subjects import (
    KINDS,
    PHRASES,
    TwoSubjectsPlan,
    sample_pair_scene,
    swap_subjects,
)
from procrop.datasets.toy.writer import _describe, write_toy_dataset
from procrop.structures.boxes import box_iou

SETTINGS = ToySettings(seed=1, size=(256, 192), images=480, splits=(0.5, 0.25, 0.25), two_subjects=True)
SMALL = ToySettings(seed=2, size=(128, 96), images=36, splits=(0.5, 0.25, 0.25), two_subjects=True)
NOT_A_PLACE = re.compile(r"left|right|side|middle|centre|center|near|far|first|second|big|small|front|behind")


@pytest.fixture(scope="module")
def records():
    return [_describe(job, SETTINGS) for job in SETTINGS.jobs()]


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("toy") / "two"
    assert write_toy_dataset(out, SMALL) == 36
    return out


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


FEATURES = ("middle", "from the middle", "foot", "width", "height", "area")


def features(boxes: np.ndarray) -> tuple[np.ndarray, ...]:
    middle, (width, height) = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 2:] - boxes[:, :2]).T
    return middle, np.abs(middle - 0.5), boxes[:, 3], width, height, width * height


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_kinds_are_balanced_in_each_split_as_named_and_as_other(records):
    for split, count in (("train", 240), ("val", 120), ("test", 120)):
        photos = [r for r in records if r["split"] == split]
        assert len(photos) == count and all(r["kind"] != r["other_kind"] for r in photos)
        for key in ("kind", "other_kind"):
            assert Counter(r[key] for r in photos) == dict.fromkeys(KINDS, count // len(KINDS))
    odd = TwoSubjectsPlan(0, {"train": 20}).pairs()
    for side in (0, 1):
        counts = Counter(pair.kinds[pair.named ^ side] for pair in odd)
        assert set(counts.values()) == {3, 4} and len(counts) == len(KINDS)


def test_side_and_words_are_tossed_apart_from_kinds():
    pairs = TwoSubjectsPlan(5, {"train": len(KINDS) * 400}).pairs()
    assert abs(np.mean([pair.named for pair in pairs]) - 0.5) < 0.02
    for kind in KINDS:
        # of the 400 photos that name a kind, where it stands; of those that show it on the left, whether it is named:
        # shares within four standard deviations, 0.1, of a fair coin's
        sides = [pair.named for pair in pairs if pair.kinds[pair.named] == kind]
        named = [pair.named == 0 for pair in pairs if pair.kinds[0] == kind]
        assert len(sides) == 400
        assert abs(np.mean(sides) - 0.5) < 0.1 and abs(np.mean(named) - 0.5) < 0.1
    words = Counter((pair.phrase, pair.named) for pair in pairs)
    expected = len(pairs) / (2 * len(PHRASES))
    assert (
        len(words) == 2 * len(PHRASES) and max(abs(n - expected) for n in words.values()) < 4 * expected**0.5
    )


def test_the_sampler_is_not_told_which_subject_is_named():
    assert list(inspect.signature(sample_pair_scene).parameters) == ["rng", "kinds", "aspect"]


def test_place_and_size_do_not_tell_the_named_subject(records):
    scale = np.array([256, 192, 256, 192])
    named, other = (np.array([r[key] for r in records]) / scale for key in ("subject", "other_subject"))
    for boxes in (named, other):
        assert boxes.min() > 0.02 and boxes.max() < 0.98
    left = [r["side"] == "left" for r in records]
    assert abs(np.mean(left) - 0.5) < 0.09  # four standard deviations
    np.testing.assert_array_equal(named[:, 0] < other[:, 0], left)
    for name, one, two in zip(FEATURES, features(named), features(other), strict=True):
        # paired t: |t| < 3.5 unless the two differ (0.05 % by chance; the seed is fixed)
        difference = one - two
        assert abs(difference.mean() / difference.std(ddof=1)) * len(difference) ** 0.5 < 3.5, name


def test_the_picture_is_the_same_whichever_subject_is_named():
    for seed in range(6):
        scene = sample_pair_scene(np.random.default_rng(seed), ("boat", "tower"), 4 / 3)
        np.testing.assert_array_equal(paint(scene, 128, 96), paint(swap_subjects(scene), 128, 96))
        assert swap_subjects(swap_subjects(scene)) == scene
    with pytest.raises(ValueError, match="one subject"):
        swap_subjects(sample_scene(np.random.default_rng(0), sample_look(np.random.default_rng(0)), 4 / 3))


def test_best_crops_keep_their_subject_whole_and_hardly_overlap(records):
    overlaps = []
    for r in records:
        for best, subject in ((r["best"], r["subject"]), (r["best_other"], r["other_subject"])):
            assert best[0] <= subject[0] and best[1] <= subject[1]
            assert subject[2] <= best[2] and subject[3] <= best[3]
        best, other = np.array([r["best"]], float), np.array([r["best_other"]], float)
        overlaps.append(box_iou(best, other)[0, 0])
        assert r["blind_iou"] == pytest.approx(rule.blind_box(best[0], other[0])[1], abs=1e-4)
        assert 2 * r["blind_iou"] >= 1 + overlaps[-1] - 1e-3  # one of the two crops is itself a blind guess
    assert max(overlaps) < 0.4 and np.mean(overlaps) < 0.2
    assert np.mean([r["blind_iou"] for r in records]) < 0.6


def test_annotations_are_the_pairs_grid_with_the_named_subjects_crop_on_top(written):
    grid, scenes = rule.pair_boxes(128, 96), {r["id"]: r for r in read_lines(written / "scenes.jsonl")}
    steps = (
        grid[:, 2:] - grid[:, :2]
    ) / 8  # a twelfth of the photo is not a whole number of pixels everywhere
    assert len(np.unique(grid, axis=0)) == len(grid) and grid.min() >= 0
    assert np.abs(steps[:, 0] * 8 / (128 / 12) - 6).max() < 1.1 and (grid[:, 2:] <= (128, 96)).all()
    files = list((written / "annotations").rglob("*.txt"))
    assert len(files) == 36
    for path in files:
        rows = np.array([line.split() for line in path.read_text().splitlines()], float)
        np.testing.assert_array_equal(rows[:, [1, 0, 3, 2]], grid)
        order = np.argsort(-rows[:, 4])
        assert rows[order[0], 4] - rows[order[1], 4] >= 0.0199 and rows[order[0], 4] >= 4
        record = scenes[path.stem]
        np.testing.assert_array_equal(grid[order[0]], record["best"])
        assert rows[(grid == record["best_other"]).all(axis=1), 4][0] < 2.5


def test_captions_name_the_kinds_and_never_the_place(written):
    scenes = read_lines(written / "scenes.jsonl")
    right, swapped = (read_lines(written / f"captions{end}.jsonl") for end in ("", "_swapped"))
    assert [r["id"] for r in right] == [r["id"] for r in swapped] == [s["id"] for s in scenes]
    for scene, one, other in zip(scenes, right, swapped, strict=True):
        assert set(one) == {"id", "caption"}
        words, others = one["caption"].split(), other["caption"].split()
        assert [k for k in KINDS if k in words] == [scene["kind"]]
        assert [k for k in KINDS if k in others] == [scene["other_kind"]]
        assert one["caption"].replace(scene["kind"], "{}") == other["caption"].replace(
            scene["other_kind"], "{}"
        )
    assert len({one["caption"].replace(s["kind"], "") for s, one in zip(scenes, right, strict=True)}) == 6
    assert not any(NOT_A_PLACE.search(phrase) for phrase in PHRASES)


def test_bytes_do_not_depend_on_workers_or_interruptions(written, tmp_path):
    write_toy_dataset(tmp_path / "two", SMALL, workers=2)
    assert digests(tmp_path / "two") == digests(written)
    (tmp_path / "two" / "images" / "val" / "toy_00020.jpg").unlink()
    (tmp_path / "two" / "captions_swapped.jsonl").unlink()
    assert write_toy_dataset(tmp_path / "two", SMALL) == 1
    (tmp_path / "two" / "captions.jsonl").unlink()
    assert write_toy_dataset(tmp_path / "two", SMALL) == 0
    assert digests(tmp_path / "two") == digests(written)


def test_layout_readme_and_settings(written):
    names = Counter(str(Path(name).parent) for name in digests(written))
    counts = {"train": 18, "val": 9, "test": 9}
    folders = {f"{kind}/{split}": n for kind in ("images", "annotations") for split, n in counts.items()}
    assert names == folders | {".": 5}
    settings = json.loads((written / "toy.json").read_text())["settings"]
    assert set(settings) == {"seed", "size", "images", "splits", "two_subjects"}
    text = (written / "README.md").read_text()
    test = [r["blind_iou"] for r in read_lines(written / "scenes.jsonl") if r["split"] == "test"]
    assert f"{np.mean(test):.3f} on test" in text and "gallery" not in text and "thirds 0.35" in text
    with pytest.raises(ToyDatasetError, match="choose one"):
        ToySettings(hidden_style=True, two_subjects=True)


# digest of scenes, annotations, README and settings, and mean grey of the first photos, made before photos could
# have a second subject
PLAIN = ToySettings(seed=3, size=(192, 144), images=6, gallery=3)
FAMILIES = dict(families=3, val_families=1, test_families=1, gallery_per_family=2)
STYLED = ToySettings(hidden_style=True, seed=3, size=(192, 144), **FAMILIES)
BEFORE = {
    "plain": (
        PLAIN,
        "afced8f2cb56992d22df5a311e0e7ac0e350949f2479c9818b019a5657175eaa",
        [130.9, 128.1, 152.9, 151.6, 130.2, 123.0, 127.7, 116.7, 139.6],
    ),
    "styled": (
        STYLED,
        "b2c00e1105110af65bb9836c5f2fbbccba11f24afba3ac3e6a141919db999e51",
        [117.8, 110.2, 114.5, 126.0, 146.3, 125.0, 142.7, 136.2, 105.5, 107.5],
    ),
}


@pytest.mark.parametrize("name", BEFORE)
def test_other_modes_are_what_they_were(name, tmp_path):
    settings, digest, greys = BEFORE[name]
    write_toy_dataset(tmp_path, settings)
    texts = sorted(path for path in tmp_path.rglob("*") if path.suffix in (".txt", ".json", ".jsonl", ".md"))
    assert hashlib.sha256(b"".join(path.read_bytes() for path in texts)).hexdigest() == digest
    photos = sorted(tmp_path.rglob("*.jpg"))[: len(greys)]
    np.testing.assert_allclose([np.asarray(Image.open(path)).mean() for path in photos], greys, atol=0.06)

"""GAICD's files: layouts, what a line may hold, and what is said about files that cannot be used."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from procrop.datasets import (
    AnnotationError,
    CropDataset,
    DatasetNotFoundError,
    GAICDataset,
    parse_gaic_annotation,
)


def _parse(tmp_path, content, **kwargs):
    path = tmp_path / "1.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return parse_gaic_annotation(path, **kwargs)


# ------------------------------------------------------------------------------------------ annotation files


def test_columns_are_y1_x1_y2_x2_and_become_xyxy(tmp_path):
    bboxes, scores = _parse(tmp_path, "1 2 30 40 3.5\n5 6 70 80 0.86\n")
    np.testing.assert_array_equal(bboxes, [[2, 1, 40, 30], [6, 5, 80, 70]])
    np.testing.assert_array_equal(scores, np.float32([3.5, 0.86]))  # MOS below 1 occurs in version 2
    assert bboxes.dtype == scores.dtype == np.float32


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf1 2 30 40 3.5\r\n5 6 70 80 4\r\n",  # byte order mark, CRLF
        b"1 2 30 40 3.5\r5 6 70 80 4",  # old Mac ends, no end at the end
        b"1\t2   30 40 3.5 \n\n  \n5 6 70 80 4\n\n",  # blank lines hold no information that could be lost
        b"1 2 30 40 3.5\n9 9 20 20 -2\n9 9 20 20 -2.0\n9 9 9 9 -2\n5 6 70 80 4\n",  # crops that were not scored
    ],
)
def test_harmless_variants(tmp_path, content):
    bboxes, scores = _parse(tmp_path, content)
    np.testing.assert_array_equal(bboxes, [[2, 1, 40, 30], [6, 5, 80, 70]])
    np.testing.assert_array_equal(scores, [3.5, 4])


BAD_LINES = {
    "short": ("1 2 30 40", "not 5 numbers"),
    "long": ("1 2 30 40 3 1", "not 5 numbers"),
    "words": ("a b c d e", "not 5 numbers"),
    "commas": ("1,2,30,40,3", "not 5 numbers"),
    "underscore": ("1 2 3_0 40 3", "not 5 numbers"),
    "nan score": ("1 2 30 40 nan", "NaN"),
    "nan box": ("nan 2 30 40 3", "NaN"),
    "inf score": ("1 2 30 40 inf", "NaN"),
    "inf box": ("1 2 -inf 40 3", "NaN"),
    "overflow": ("1 2 30 1e39 3", "large"),
    "x2 < x1": ("1 40 30 2 3", "without area"),
    "y2 = y1": ("30 2 30 40 3", "without area"),
    "far outside": ("-30 2 30 40 3", "outside its photo"),
    "score above": ("1 2 30 40 5.5", "MOS outside"),
    "score -1": ("1 2 30 40 -1", "MOS outside"),
    "latin-1": (b"1 2 30 40 \xe9", "not 5 numbers"),
    "NUL": ("\0\0\0", "not 5 numbers"),
}


@pytest.mark.parametrize("line,reason", BAD_LINES.values(), ids=BAD_LINES)
def test_bad_line_is_named_or_left_out(tmp_path, line, reason):
    line = line if isinstance(line, bytes) else line.encode()
    content = b"1 2 30 40 3.5\n" + line + b"\n5 6 70 80 4\n"
    with pytest.raises(AnnotationError, match=rf"1\.txt:2: .*{reason}") as caught:
        _parse(tmp_path, content)
    assert "strict=False" in str(caught.value)
    _, scores = _parse(tmp_path, content, strict=False)
    np.testing.assert_array_equal(scores, [3.5, 4])


@pytest.mark.parametrize("content", ["", "\n\n", "1 2 30 40 -2\n5 6 70 80 -2\n", "\ufeff"])
def test_no_scored_crop_at_all(tmp_path, content):
    with pytest.raises(AnnotationError, match=r"1\.txt:1: no scored crop"):
        _parse(tmp_path, content)
    bboxes, scores = _parse(tmp_path, content, strict=False)
    assert bboxes.shape == (0, 4) and scores.shape == (0,)


def test_crop_one_pixel_outside_is_kept_for_clipping(tmp_path):
    np.testing.assert_array_equal(_parse(tmp_path, "-1 -1 30 40 3\n")[0], [[-1, -1, 40, 30]])


def test_annotation_file_that_cannot_be_read(tmp_path):
    with pytest.raises(AnnotationError, match="missing.txt: the file cannot be read"):
        parse_gaic_annotation(tmp_path / "missing.txt")


def test_a_record_holds_what_the_pipeline_needs(gaic_root):
    dataset = GAICDataset(data_root=gaic_root, split="train")
    assert len(dataset) == 5 and dataset.report == {} and dataset.metainfo["classes"] == ("crop",)
    info = dataset.get_data_info(1)
    assert info["img_path"] == str(gaic_root / "images/train/1.png")
    assert info["img_id"] == info["source_id"] == "1"
    np.testing.assert_array_equal(info["gt_bboxes"], [[20, 10, 70, 50], [0, 0, 80, 60], [5, 5, 60, 40]])
    np.testing.assert_array_equal(info["gt_scores"], [4.5, 2.0, 4.0])
    assert info["gt_positives"].tolist() == [True, False, True] and info["gt_positives"].dtype == bool
    strict = GAICDataset(data_root=gaic_root, split="train", positive_threshold=4.2)
    assert strict.get_data_info(1)["gt_positives"].tolist() == [True, False, False]


def test_flat_annotations(tmp_path, write_sample):
    for split, img_id in (("train", "1"), ("val", "2"), ("test", "3")):
        write_sample(tmp_path, split, img_id, flat=True, suffix=".JPG")
    for split, img_id in (("train", "1"), ("val", "2"), ("test", "3")):
        dataset = GAICDataset(data_root=tmp_path, split=split)
        assert [dataset.get_data_info(i)["img_id"] for i in range(len(dataset))] == [img_id]


def test_the_splits_own_annotations_come_before_flat_ones(tmp_path, write_sample):
    write_sample(tmp_path, "train", "1", lines=["0 0 9 9 1"])
    write_sample(tmp_path, "train", "1", lines=["0 0 9 9 3"], flat=True)
    assert GAICDataset(data_root=tmp_path).get_data_info(0)["gt_scores"] == [1]


def test_split_file_chooses_and_orders(gaic_root):
    (gaic_root / "splits").mkdir()
    (gaic_root / "splits/train.txt").write_bytes(b"\xef\xbb\xbf3\r\n1.jpg\r\n\r\n")
    dataset = GAICDataset(data_root=gaic_root)
    assert [dataset.get_data_info(i)["img_id"] for i in range(len(dataset))] == ["3", "1"]
    (gaic_root / "mine.txt").write_text("4\n")
    assert len(GAICDataset(data_root=gaic_root, split_file="mine.txt")) == 1
    with pytest.raises(DatasetNotFoundError, match="other.txt is missing"):
        GAICDataset(data_root=gaic_root, split_file="other.txt")


def test_version_1_keeps_val_under_train(gaic_root):
    (gaic_root / "splits").mkdir()
    (gaic_root / "splits/train.txt").write_text("0\n1\n2\n")
    (gaic_root / "splits/val.txt").write_text("3\n4\n")
    assert len(GAICDataset(data_root=gaic_root, split="train", version="v1")) == 3
    dataset = GAICDataset(data_root=gaic_root, split="val", version="v1")
    assert dataset.get_data_info(0)["img_path"] == str(gaic_root / "images/train/3.png")
    with pytest.raises(DatasetNotFoundError):
        GAICDataset(data_root=gaic_root, split="val", version="v2")


def _ids(dataset):
    return [dataset.get_data_info(i)["img_id"] for i in range(len(dataset))]


def _write_split(root, split, text):
    (root / "splits").mkdir(exist_ok=True)
    (root / f"splits/{split}.txt").write_text(text)


def test_version_1_does_not_validate_on_training_photos(gaic_root):
    """Without lists, val would be all of train."""
    assert _ids(GAICDataset(data_root=gaic_root, version="v1")) == list("01234")
    with pytest.raises(DatasetNotFoundError) as caught:
        GAICDataset(data_root=gaic_root, split="val", version="v1")
    text = str(caught.value)
    assert f"{gaic_root}/splits/val.txt (one id per line" in text and "optional" not in text
    command = next(line for line in text.splitlines() if line.startswith("  mkdir"))
    subprocess.run(command.replace("% 20", "% 2"), shell=True, check=True)  # as a reader would
    assert _ids(GAICDataset(data_root=gaic_root, split="val", version="v1")) == ["1", "3"]
    assert _ids(GAICDataset(data_root=gaic_root, split="train", version="v1")) == ["0", "2", "4"]
    assert len(GAICDataset(data_root=gaic_root, split="train")) == 5  # version 2: val lies elsewhere


def test_version_1_val_photos_in_their_own_folder(gaic_root, write_sample):
    write_sample(gaic_root, "val", "9")
    assert _ids(GAICDataset(data_root=gaic_root, split="val", version="v1")) == ["9"]
    assert len(GAICDataset(data_root=gaic_root, split="train", version="v1")) == 5
    (gaic_root / "images/val/9.png").unlink()  # an empty folder is none
    with pytest.raises(DatasetNotFoundError, match=r"nothing says which photos of .*images/train"):
        GAICDataset(data_root=gaic_root, split="val", version="v1")


def test_version_1_photo_in_both_lists_is_an_error(gaic_root):
    _write_split(gaic_root, "train", "0\n3\n1.png\n")
    _write_split(gaic_root, "val", "1\n2\n3.png\n")
    with pytest.raises(AnnotationError) as caught:
        GAICDataset(data_root=gaic_root, version="v1")
    text = str(caught.value)
    assert "2 annotation problem" in text
    assert "train.txt:2 ('3')" in text and "train.txt:3 ('1')" in text and "splits/val.txt too" in text
    dataset = GAICDataset(data_root=gaic_root, version="v1", strict=False)
    assert _ids(dataset) == ["0"] and list(dataset.report) == ["name listed in splits/val.txt too"]
    _write_split(gaic_root, "all", "0\n1\n2\n3\n")  # who names a file of his own means it
    assert len(GAICDataset(data_root=gaic_root, version="v1", split_file="splits/all.txt")) == 4


def test_files_are_checked_without_reading_them(gaic_root, tmp_path):
    GAICDataset(data_root=gaic_root, lazy_init=True).check_files()
    for wrong in (dict(split="test"), dict(split="val", version="v1"), dict(split_file="no.txt")):
        with pytest.raises(DatasetNotFoundError):
            GAICDataset(data_root=gaic_root, lazy_init=True, **wrong).check_files()
    CropDataset(lazy_init=True).check_files()  # a format that does not say


def test_indices_and_lazy_init(gaic_root, tmp_path):
    assert len(GAICDataset(data_root=gaic_root, indices=2)) == 2
    assert GAICDataset(data_root=gaic_root, indices=[4]).get_data_info(0)["img_id"] == "4"
    lazy = GAICDataset(data_root="no/such/folder", lazy_init=True)  # asked for its metainfo alone
    assert lazy.metainfo["classes"] == ("crop",)
    with pytest.raises(DatasetNotFoundError):
        lazy.full_init()


# ----------------------------------------------------------------------------------------------- missing data


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_absent_data_set_says_what_is_expected_and_what_runs_without(tmp_path, version):
    with pytest.raises(DatasetNotFoundError) as caught:
        GAICDataset(data_root=tmp_path / "gaic", version=version)
    message = str(caught.value)
    for words in (
        f"{tmp_path}/gaic/images/train/<id>.jpg",
        f"{tmp_path}/gaic/annotations/train/<id>.txt",
        "HuiZeng/Grid-Anchor-based-Image-Cropping-Pytorch",
        "make quickstart",
        "tools/make_toy_dataset.py",
        "configs/procrop_toy.py",
    ):
        assert words in message
    assert isinstance(caught.value, ValueError)
    for command in re.findall(r"python (tools/\w+\.py)", message):
        assert (Path(__file__).parents[2] / command).is_file()


def test_absent_toy_data_says_how_it_is_drawn(tmp_path):
    with pytest.raises(DatasetNotFoundError) as caught:
        GAICDataset(data_root=tmp_path / "toy")
    assert f"python tools/make_toy_dataset.py {tmp_path}/toy --images 600" in str(caught.value)
    assert "download" not in str(caught.value)


def test_empty_photo_folder(tmp_path):
    (tmp_path / "images/train").mkdir(parents=True)
    (tmp_path / "annotations").mkdir()
    with pytest.raises(DatasetNotFoundError, match="no photo in"):
        GAICDataset(data_root=tmp_path)


def test_missing_annotation_and_missing_photo_are_named(gaic_root):
    (gaic_root / "annotations/train/2.txt").unlink()
    with pytest.raises(
        AnnotationError, match=r"2\.png \(expected annotations/train/2\.txt or .*annotation missing"
    ):
        GAICDataset(data_root=gaic_root)
    (gaic_root / "splits").mkdir()
    (gaic_root / "splits/train.txt").write_text("0\n2\n77\n")
    with pytest.raises(AnnotationError) as caught:
        GAICDataset(data_root=gaic_root)
    assert re.search(r"train\.txt:3 \(expected images/train/77\.jpg\): photo missing", str(caught.value))
    dataset = GAICDataset(data_root=gaic_root, strict=False)
    assert len(dataset) == 1
    assert {reason: len(places) for reason, places in dataset.report.items()} == {
        "annotation missing": 2,
        "photo missing": 1,
    }


def test_strict_names_the_first_problems_and_counts_the_rest(tmp_path, write_sample):
    for number in range(8):
        write_sample(tmp_path, "train", str(number), lines=["0 0 9 9 3", "bad"])
    with pytest.raises(AnnotationError) as caught:
        GAICDataset(data_root=tmp_path)
    assert "8 annotation problem(s)" in str(caught.value) and "3 more" in str(caught.value)
    assert str(tmp_path / "annotations/train/0.txt") + ":2" in str(caught.value)
    dataset = GAICDataset(data_root=tmp_path, strict=False)
    assert len(dataset) == 8
    [places] = dataset.report.values()
    assert len(places) == 8 and places[0].endswith("0.txt:2")


def test_photo_whose_crops_are_all_unscored_is_reported_by_name(gaic_root, write_sample):
    write_sample(gaic_root, "train", "unscored", lines=["0 0 9 9 -2"] * 3)
    with pytest.raises(AnnotationError, match=r"unscored\.txt:1: no scored crop"):
        GAICDataset(data_root=gaic_root)
    dataset = GAICDataset(data_root=gaic_root, strict=False)
    assert len(dataset) == 5 and "unscored.txt:1" in dataset.report["no scored crop in the file"][0]


def test_nothing_usable_is_an_error_even_when_not_strict(tmp_path, write_sample):
    write_sample(tmp_path, "train", "1", lines=["bad"])
    with pytest.raises(AnnotationError, match="no usable record.*1 x not 5 numbers"):
        GAICDataset(data_root=tmp_path, strict=False)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", "a/b", "a\\b"])
def test_names_do_not_leave_the_data_root(gaic_root, name):
    (gaic_root / "splits").mkdir()
    (gaic_root / "splits/train.txt").write_text(f"0\n{name}\n")
    with pytest.raises(AnnotationError, match=r"train\.txt:2: name that leaves"):
        GAICDataset(data_root=gaic_root)
    assert len(GAICDataset(data_root=gaic_root, strict=False)) == 1


@pytest.mark.parametrize("kind", ["images", "annotations"])
def test_linked_files_do_not_leave_the_data_root(gaic_root, tmp_path_factory, kind):
    path = gaic_root / kind / "train" / ("0.png" if kind == "images" else "0.txt")
    outside = tmp_path_factory.mktemp("outside") / path.name
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(AnnotationError, match="link that leaves"):
        GAICDataset(data_root=gaic_root)


def test_linked_folders_and_links_within_the_data_root_are_fine(gaic_root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    os.rename(gaic_root / "images", outside / "images")
    (gaic_root / "images").symlink_to(outside / "images")
    (gaic_root / "images/train/9.png").symlink_to("0.png")
    (gaic_root / "annotations/train/9.txt").symlink_to(gaic_root / "annotations/train/0.txt")
    assert len(GAICDataset(data_root=gaic_root)) == 6


def test_names_that_come_twice(gaic_root):
    (gaic_root / "images/train/0.jpg").write_bytes((gaic_root / "images/train/0.png").read_bytes())
    with pytest.raises(AnnotationError, match="photo present twice"):
        GAICDataset(data_root=gaic_root)
    (gaic_root / "images/train/0.jpg").unlink()
    (gaic_root / "splits").mkdir()
    (gaic_root / "splits/train.txt").write_text("1\n1\n")
    with pytest.raises(AnnotationError, match=r"train\.txt:2: name listed twice"):
        GAICDataset(data_root=gaic_root)


def test_check_sizes_reads_headers(gaic_root, write_sample):
    write_sample(
        gaic_root,
        "train",
        "far",
        lines=["10 20 50 70 4.5", "0 0 60 80 2.0", "5 5 40 60 4.0", "0 0 60 200 3"],
        size=(80, 60),
    )
    write_sample(gaic_root, "train", "near", lines=["0 0 61 81 3"], size=(80, 60))
    assert len(GAICDataset(data_root=gaic_root)) == 7  # sizes are not looked at
    with pytest.raises(AnnotationError, match=r"far\.txt.*: crop outside its photo"):
        GAICDataset(data_root=gaic_root, check_sizes=True)
    dataset = GAICDataset(data_root=gaic_root, check_sizes=True, strict=False)
    infos = {info["img_id"]: info for info in map(dataset.get_data_info, range(len(dataset)))}
    assert len(infos["far"]["gt_scores"]) == 3 and len(infos["near"]["gt_scores"]) == 1
    (gaic_root / "images/train/near.png").write_bytes(b"text")
    with pytest.raises(AnnotationError, match=r"near\.png: the file holds no image"):
        GAICDataset(data_root=gaic_root, check_sizes=True)


@pytest.mark.parametrize("bad", [dict(split="trian"), dict(version="v3")])
def test_misspelt_parameters(tmp_path, bad):
    with pytest.raises(ValueError, match="must be"):
        GAICDataset(data_root=tmp_path, **bad)


# -------------------------------------------------------------------------------------------------- real files


@pytest.mark.realdata
def test_real_annotations_agree_with_an_independent_reader(procrop_data):
    files = sorted((procrop_data / "gaicd_v1" / "annotations").glob("*.txt"))
    total = 0
    for file in files:
        table = np.loadtxt(file, ndmin=2)
        table = table[table[:, 4] != -2]
        bboxes, scores = parse_gaic_annotation(file)
        np.testing.assert_array_equal(bboxes, table[:, [1, 0, 3, 2]])
        np.testing.assert_allclose(scores, table[:, 4], rtol=1e-6)
        total += len(scores)
    assert len(files) == 1236 and total == 106_853


@pytest.mark.realdata
def test_real_photos_and_splits(procrop_data):
    root = procrop_data / "gaicd_v1"
    with pytest.raises(
        AnnotationError, match=r"(?s)196 annotation problem.*expected images/test/210333\.jpg"
    ):
        GAICDataset(data_root=root, split="test", version="v1")
    ids = {}
    for part in ("train", "test"):
        dataset = GAICDataset(data_root=root, split=part, version="v1", strict=False, check_sizes=True)
        ids[part] = [info["img_id"] for info in map(dataset.get_data_info, range(len(dataset)))]
        assert list(dataset.report) == ["photo missing"]
    assert ids == {"train": ["211958"], "test": ["265813", "297406", "302166", "309808"]}

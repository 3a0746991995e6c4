"""``tools/cad.py labels``: its figures against plain loops, one photo's history, and what goes wrong."""

import json

import numpy as np
import pytest
from PIL import Image

from procrop.apis import cad_command
from procrop.apis.cli import tool_main
from procrop.datasets.pseudo_labels import PhotoLabels, PseudoLabelStore
from procrop.structures import box_iou


@pytest.fixture
def work(tmp_path):
    """A work folder with three versions of labels on two photos."""
    store = PseudoLabelStore(tmp_path / "run/pseudo_labels")
    rng = np.random.default_rng(0)
    for epoch in (4, 8, 12):
        photos = []
        for name in "ab":
            low, high = rng.uniform(0, 60, (3, 2)), rng.uniform(120, 190, (3, 2))
            boxes = np.concatenate([low, high], axis=1)
            photo = f"images/{name}.png"
            photos.append(
                PhotoLabels(name, [40, 40, 150, 140], boxes, [4, 3, 2], [0.9, 0.5, 0.2], (200, 190), photo)
            )
        store.commit(photos, epoch, {"ratio": 10 + epoch})
    (tmp_path / "images").mkdir()
    Image.new("RGB", (200, 190), (90, 140, 90)).save(tmp_path / "images/a.png")
    return tmp_path


def labels(*args):
    return tool_main(cad_command, ["labels", *map(str, args)])


def test_versions_are_listed(work, capsys):
    assert labels(work / "run", "--json", work / "f.json", "--out", work / "f.png") == 0
    rows = json.loads((work / "f.json").read_text())
    assert [(row["version"], row["epoch"], row["labels"]) for row in rows] == [
        (1, 4, 6),
        (2, 8, 6),
        (3, 12, 6),
    ]
    store = PseudoLabelStore(work / "run/pseudo_labels")
    old, new = store.read(1), store.read(2)
    nearest = [
        max(box_iou([box], [other])[0, 0] for other in old[name].boxes)
        for name in "ab"
        for box in new[name].boxes
    ]
    assert rows[0]["iou_before"] is None and rows[1]["iou_before"] == pytest.approx(np.mean(nearest))
    assert rows[2]["rejected"] == {"ratio": 22}
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["version", "epoch", "photos", "labelled", "labels", "IoU", "known", "pairwise", "before", "score"]  # fmt: skip  # noqa: E501
    assert out[1].split()[:5] == ["1", "4", "2", "2", "6"] and out[1].split()[7] == "-"
    assert out[1].split()[6] == f"{rows[0]['pairwise_iou']:.3f}"
    assert "left out in version 3: ratio 22" in out
    assert Image.open(work / "f.png").width > 500


def test_one_photo_has_a_history(work, capsys):
    store = work / "run/pseudo_labels"
    assert (
        labels(store, "--photo", "a", "--data", work, "--out", work / "a.png", "--json", work / "a.json") == 0
    )
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "a: 200 x 190 pixels, known area 40 40 150 140"
    assert [line for line in out if line.startswith("version")][2].startswith(
        "version 3, after 12 epochs: 3 labels"
    )
    assert len([line for line in out if "IoU with the known area" in line]) == 9
    rows = json.loads((work / "a.json").read_text())
    assert len(rows) == 3 and rows[1]["scores"] == [4, 3, 2]
    picture = Image.open(work / "a.png")
    assert picture.height > 3 * 240


def test_faults_are_named(work, capsys):
    for words, args in (
        ("no pseudo labels here", (work / "nowhere",)),
        ("has looked at a photo 'z'", (work / "run", "--photo", "z")),
        (
            "needs the folder of its dataset: --data ROOT",
            (work / "run", "--photo", "a", "--out", work / "x.png"),
        ),
        ("b.png", (work / "run", "--photo", "b", "--data", work, "--out", work / "x.png")),
    ):
        assert labels(*args) == 2
        assert words in capsys.readouterr().err
    assert not (work / "x.png").exists()

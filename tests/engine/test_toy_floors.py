"""The whole chain on toy data, with the tools a user types: the trained model beats what needs no model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_trained_toy_model_beats_the_floors_clearly(tmp_path):
    """300 photos, 12 epochs: IoU of the top-1 crop against full photo, random grid crop and centred crop."""
    data, work = tmp_path / "toy", tmp_path / "work"

    def run(tool, *args):
        command = [sys.executable, str(ROOT / "tools" / tool), *map(str, args)]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == 0, done.stdout[-3000:]

    options = [
        f"{split}_dataloader.dataset.{key}={value}"
        for split in ("train", "val", "test")
        for key, value in {
            "data_root": data,
            "references.gallery": data / "gallery_index",
            "references.table": data / "neighbours.npz",
        }.items()
    ]
    run("make_toy_dataset.py", data, "--images", 300, "--gallery", 100)
    retrieval = ROOT / "configs/_base_/retrieval/efficientnet_lite0.py"
    run("gallery.py", "build", data / "gallery_index", "--photos", data / "gallery", "--retrieval", retrieval)
    run("neighbours.py", "configs/procrop_toy.py", "--cfg-options", *options)
    run("train.py", "configs/procrop_toy.py", "--work-dir", work, "--cfg-options", *options)
    checkpoint = (work / "last_checkpoint").read_text().strip()
    run("test.py", checkpoint, "--work-dir", work / "test")
    figures = json.loads((work / "test" / "test_metrics.json").read_text())
    reached = figures["crop_best/iou@1"]
    assert reached > figures["crop_best/full_photo_iou"] + 0.15
    assert reached > figures["crop_best/random_iou@1"] + 0.05
    assert reached > figures["crop_best/centre_crop_iou"]
    assert figures["acc/acc_1/5@0.85"] > figures["acc/random_acc_1/5@0.85"] + 0.15

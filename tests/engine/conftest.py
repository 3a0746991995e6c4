"""Data for the tests that train the toy model."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory):
    """24 drawn photos (5 of them for testing), a gallery of 12, and the neighbour table."""
    data = tmp_path_factory.mktemp("toy")
    retrieval = ROOT / "configs/_base_/retrieval/efficientnet_lite0.py"
    options = [
        f"{split}_dataloader.dataset.{key}={value}"
        for split in ("train", "val", "test")
        for key, value in (
            ("data_root", data),
            ("references.gallery", data / "gallery_index"),
            ("references.table", data / "neighbours.npz"),
        )
    ]
    for command in (
        ["make_toy_dataset.py", data, "--images", 24, "--gallery", 12, "--size", "160x120", "--workers", 1],
        [
            "gallery.py",
            "build",
            data / "gallery_index",
            "--photos",
            data / "gallery",
            "--retrieval",
            retrieval,
        ],
        ["neighbours.py", ROOT / "configs/procrop_toy.py", "--cfg-options", *options],
    ):
        command = [sys.executable, str(ROOT / "tools" / command[0]), *map(str, command[1:])]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return data

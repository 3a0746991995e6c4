"""Data for the tests that train the toy model."""

import sys
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def toy():
    """The toy's config, to be copied before it is changed."""
    return Config.fromfile(ROOT / "configs/procrop_toy.py")


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
    import gallery  # tools, run in this process: each process of its own would import everything again
    import make_toy_dataset
    import neighbours

    for tool, *args in (
        (make_toy_dataset, data, "--images", 24, "--gallery", 12, "--size", "160x120", "--workers", 1),
        (
            gallery,
            "build",
            data / "gallery_index",
            "--photos",
            data / "gallery",
            "--retrieval",
            retrieval,
        ),
        (neighbours, ROOT / "configs/procrop_toy.py", "--cfg-options", *options),
    ):
        assert not tool.main([str(arg) for arg in args])
    return data

"""The drawn data that all configs are run on."""

import gc
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "tools"))


@pytest.fixture(scope="session")
def release_data(tmp_path_factory):
    from release_data import ReleaseData

    yield ReleaseData(tmp_path_factory.mktemp("release_data"))
    gc.unfreeze()


@pytest.fixture
def data(release_data, monkeypatch):
    """The data, with their folder as the present one: configs name their files relative to it."""
    monkeypatch.chdir(release_data.root)
    gc.collect()
    gc.freeze()  # mmengine collects garbage at each dataset: without this, among all that was ever imported
    return release_data

"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def procrop_data() -> Path:
    """Folder of real photos and annotations, named by the environment variable PROCROP_DATA."""
    root = os.environ.get("PROCROP_DATA")
    if not root:
        pytest.skip("PROCROP_DATA is not set: no folder of real photos to test on")
    return Path(root)

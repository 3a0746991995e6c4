"""Fixtures shared by all tests."""

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def procrop_data() -> Path:
    """Folder of real photos and annotations, named by the environment variable PROCROP_DATA."""
    root = os.environ.get("PROCROP_DATA")
    if not root:
        pytest.skip("PROCROP_DATA is not set: no folder of real photos to test on")
    return Path(root)


@pytest.fixture(autouse=True, scope="module")
def no_logger_of_other_modules():
    """mmengine's current logger is the last one made, whose file another module's test may have closed."""
    logging = sys.modules.get("mmengine.logging")
    if logging is not None:
        logging.MMLogger._instance_dict.clear()

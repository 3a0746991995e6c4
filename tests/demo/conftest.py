"""Fixtures of the page's tests."""

import pytest
from demo_parts import build_second_gallery, write_model


@pytest.fixture(scope="session")
def demo_model(tmp_path_factory, gallery, untrained):
    """Path of a checkpoint that takes the fixture ``gallery``."""
    return write_model(untrained, gallery, tmp_path_factory.mktemp("demo_model"))


@pytest.fixture(scope="session")
def second_gallery(tmp_path_factory):
    """Folder of a second gallery, its photos are called p12.png to p19.png."""
    return build_second_gallery(tmp_path_factory.mktemp("second_gallery"))

"""What tests of publishing share."""

import pytest
from published_model import NAME

from procrop.apis.publishing import publish


@pytest.fixture
def folder(published_zoo):
    """The tiny model as it is published."""
    return published_zoo / "weights" / NAME


@pytest.fixture
def quick(monkeypatch):
    """Nothing is cropped to see what half precision does."""
    monkeypatch.setattr(publish, "largest_difference", lambda *a: dict(boxes=0.0, scores=0.0))

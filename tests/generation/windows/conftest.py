"""Nothing here needs to outlast a power cut."""

import os

import pytest


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Writing does not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(os, "sync", lambda: None)

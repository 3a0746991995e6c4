"""What the tests of photo reading share."""

import os

import numpy as np
import pytest

from procrop.io import PhotoError, read_photo


def noise(height=64, width=96, seed=0):
    """A photo without structure, (height, width, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def refused(path, *words):
    """Reading ``path`` fails with one line: the file, each of ``words``, a reason and a remedy."""
    with pytest.raises(PhotoError) as caught:
        read_photo(path)
    message = str(caught.value)
    assert repr(os.fspath(path)) in message
    for word in words:
        assert word in message
    assert "; " in message  # reason; remedy
    assert caught.value.path == os.fspath(path) and caught.value.reason in message

"""What tests of more than one tool need."""

import pytest


@pytest.fixture
def threads_as_before():
    """Numbers of threads that a tool sets are set back."""
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from procrop.models.layers import extent_in_cells, padding_mask


@pytest.mark.parametrize("shape", [(64, 96), (33, 66), (97, 131), (600, 799)])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_the_mask_is_the_photos_mask_resampled_to_the_map(shape, stride):
    """As DETR has it: nearest interpolation of a mask of pixels."""
    feature_map = torch.zeros(4, 2, -(-shape[0] // stride), -(-shape[1] // stride))
    sizes = torch.tensor([[shape[1] - i * shape[1] // 5, shape[0] - i * shape[0] // 7] for i in range(4)])
    pixels = torch.ones(4, 1, *shape)
    for i, (width, height) in enumerate(sizes.tolist()):
        pixels[i, :, :height, :width] = 0
    expected = F.interpolate(pixels, size=feature_map.shape[-2:]).squeeze(1).bool()
    torch.testing.assert_close(padding_mask(sizes, shape, feature_map), expected)
    assert not expected[0].any() and expected[3].any()


def test_the_extent_is_in_cells():
    feature_map = torch.zeros(2, 1, 4, 6)
    sizes = torch.tensor([[96, 64], [40, 24]])
    extent = extent_in_cells(sizes, (64, 96), feature_map)
    torch.testing.assert_close(extent, torch.tensor([[6.0, 4.0], [2.5, 1.5]]))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_a_gpu_says_the_same(stride):
    for cells in range(2, 60):
        here = torch.zeros(1, 1, 2, cells)
        shape, sizes = (2 * stride, cells * stride), torch.tensor([[(cells - 1) * stride, 2 * stride]])
        for ask in (padding_mask, extent_in_cells):
            found = ask(sizes.cuda(), shape, here.cuda())
            torch.testing.assert_close(found.cpu(), ask(sizes, shape, here), rtol=0, atol=0)


@pytest.mark.parametrize("ask", [padding_mask, extent_in_cells])
def test_nothing_is_divided_by_a_number(ask):
    """CUDA multiplies with the reciprocal instead, which is another number (1312 / 41 is less than 32 then)."""
    divisors = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func.overloadpacket is torch.ops.aten.div:
                divisors.append(args[1])
            return func(*args, **(kwargs or {}))

    with Watch():
        ask(torch.tensor([[1280, 32]]), (32, 1312), torch.zeros(1, 1, 1, 41))
    assert len(divisors) == 2 and all(isinstance(divisor, torch.Tensor) for divisor in divisors)

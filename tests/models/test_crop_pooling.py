"""RoI and RoD features against plain loops in numpy, with their gradients, and what padding must not change."""

import numpy as np
import pytest
import torch

from procrop.models.layers import CropPooling, fill_padding, rod_align

SIZE, SAMPLES = 3, 2
EXTENT = torch.tensor([[5.0, 4.0], [3.5, 2.0]], dtype=torch.float64)
# normalised xyxy: a common crop, the whole photo, one that touches two edges, one too small to hold a sample
BOXES = torch.tensor([[0.2, 0.1, 0.9, 0.8], [0, 0, 1, 1], [0.4, 0.3, 1, 1], [0.51, 0.51, 0.52, 0.53]])
BOXES = torch.stack([BOXES, BOXES.flip(0)]).double()


def feature_map(seed=0):
    return torch.randn(2, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def bilinear(grid, x, y):
    """Value at (x, y) in cells, cell centres at k + 0.5, of a map (h, w) that repeats its border."""
    height, width = grid.shape
    x, y = np.clip(x - 0.5, 0, width - 1), np.clip(y - 0.5, 0, height - 1)
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    top = grid[y0, x0] * (1 - (x - x0)) + grid[y0, x1] * (x - x0)
    bottom = grid[y1, x0] * (1 - (x - x0)) + grid[y1, x1] * (x - x0)
    return top * (1 - (y - y0)) + bottom * (y - y0)


def pooled(grid, area, keep):
    """Mean of the samples of each bin of an area (x1, y1, x2, y2) in cells; a sample that ``keep`` refuses is 0."""
    x1, y1, x2, y2 = area
    out = np.zeros((SIZE, SIZE))
    for row in range(SIZE):
        for column in range(SIZE):
            for j in range(SAMPLES):
                for i in range(SAMPLES):
                    x = x1 + (x2 - x1) * (column + (i + 0.5) / SAMPLES) / SIZE
                    y = y1 + (y2 - y1) * (row + (j + 0.5) / SAMPLES) / SIZE
                    out[row, column] += bilinear(grid, x, y) / SAMPLES**2 if keep(x, y) else 0
    return out


def slow(features, boxes, extent):
    out = np.zeros((2, boxes.shape[1], 4, SIZE, SIZE))
    for b in range(2):
        width, height = extent[b].tolist()
        for m in range(boxes.shape[1]):
            x1, y1, x2, y2 = (boxes[b, m] * torch.tensor([width, height] * 2)).tolist()
            for c in range(2):
                # the photo's own part of the map alone
                grid = features[b, c, : int(np.ceil(height)), : int(np.ceil(width))].numpy()
                out[b, m, c] = pooled(grid, (x1, y1, x2, y2), lambda x, y: True)
                out[b, m, 2 + c] = pooled(
                    grid,
                    (0, 0, width, height),
                    lambda x, y, box=(x1, y1, x2, y2): not (box[0] <= x <= box[2] and box[1] <= y <= box[3]),
                )
    return out


def test_values_equal_plain_loops():
    found = CropPooling(SIZE, SAMPLES)(feature_map(), BOXES, EXTENT)
    assert found.shape == (2, 4, 4, SIZE, SIZE)
    np.testing.assert_allclose(found.numpy(), slow(feature_map(), BOXES, EXTENT), rtol=1e-9, atol=1e-12)


def test_without_extent_the_map_is_the_photo():
    whole = torch.tensor([[5.0, 4.0]] * 2, dtype=torch.float64)
    found = CropPooling(SIZE, SAMPLES)(feature_map(), BOXES)
    np.testing.assert_allclose(found.numpy(), slow(feature_map(), BOXES, whole), rtol=1e-9, atol=1e-12)


def test_gradients_equal_finite_differences():
    features = feature_map().requires_grad_()
    pool = CropPooling(SIZE, SAMPLES)
    assert torch.autograd.gradcheck(lambda x: pool(x, BOXES, EXTENT), (features,), fast_mode=True)
    cells = BOXES * EXTENT.repeat(1, 2).unsqueeze(1)
    assert torch.autograd.gradcheck(
        lambda x: rod_align(x, cells, EXTENT, SIZE, SAMPLES), (features,), fast_mode=True
    )


def test_the_two_regions_share_out_the_photo():
    """Nothing is discarded by the whole photo; a crop without a sample discards all of it."""
    discarded = CropPooling(SIZE, SAMPLES)(feature_map(), BOXES, EXTENT)[0, :, 2:]
    assert torch.equal(discarded[1], torch.zeros_like(discarded[1]))
    whole = CropPooling(SIZE, SAMPLES)(feature_map(), BOXES, EXTENT)[0, 1, :2]
    torch.testing.assert_close(discarded[3], whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_padding_and_company_change_nothing(dtype):
    pool, photo = CropPooling(), feature_map()[1:, :, :2, :4].to(dtype)
    alone = pool(photo, BOXES[1:].to(dtype), EXTENT[1:].to(dtype))
    batch = torch.full((2, 2, 6, 7), 1e4, dtype=dtype)
    batch[0, :, :4, :5] = feature_map()[0].to(dtype)
    batch[1, :, :2, :4] = photo[0]
    together = pool(batch, BOXES.to(dtype), EXTENT.to(dtype))
    torch.testing.assert_close(together[1:], alone)


def test_filling_repeats_the_last_cells_and_leaves_an_unpadded_map_alone():
    features = feature_map()
    assert fill_padding(features, torch.tensor([[5.0, 4.0]] * 2)) is features
    filled = fill_padding(features, torch.tensor([[5.0, 4.0], [3.5, 2.0004]]))
    assert torch.equal(filled[0], features[0])
    assert torch.equal(filled[1, :, :2, :4], features[1, :, :2, :4])
    assert torch.equal(filled[1, :, 2, :4], features[1, :, 1, :4])
    assert torch.equal(filled[1, :, :, 4], filled[1, :, :, 3])

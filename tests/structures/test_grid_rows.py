import numpy as np
import pytest

from procrop.structures import gaic_grid_anchors, gaic_grid_rows


@pytest.mark.parametrize("rule", ["generator", "annotation", "all"])
@pytest.mark.parametrize("size", [(400, 300), (320, 180), (90, 700), (1, 1)])
def test_rows_pick_the_anchors_of_a_photo_from_the_whole_grid(size, rule):
    rows = gaic_grid_rows(*size, rule)
    assert (np.diff(rows) > 0).all() and rows.min(initial=0) >= 0 and rows.max(initial=0) < 90
    whole = gaic_grid_anchors(1, 1, "all") * [*size, *size]
    np.testing.assert_allclose(whole[rows], gaic_grid_anchors(*size, rule), rtol=1e-12)


def test_a_photo_without_a_side_or_an_unknown_rule_has_no_rows():
    with pytest.raises(ValueError, match="must be above 0, got 0 x 3"):
        gaic_grid_rows(0, 3)
    with pytest.raises(ValueError, match="rule must be one of .*, got 'any'"):
        gaic_grid_rows(3, 3, "any")

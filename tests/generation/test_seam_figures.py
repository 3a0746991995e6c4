"""Seam figures: against a plain reference, and on drawn borders."""

import numpy as np
import pytest

from procrop.generation.seam_figures import colour_shifts, seam_figures

KNOWN = (60, 50, 180, 140)


def _grain(shape=(200, 240), level=120, spread=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(level, spread, (*shape, 3)).clip(0, 255).astype(np.uint8)


def _reference(image, known, reach, band, pieces):
    """Line by line, pixel by pixel, as the documentation says it."""
    image = image.astype(float)
    height, width = image.shape[:2]
    x1, y1, x2, y2 = known
    worst = {"gradient": [], "colour": []}
    for border, upright in ((x1, True), (x2, True), (y1, False), (y2, False)):
        end = width if upright else height
        if not 0 < border < end:
            continue
        part = image[y1:y2] if upright else image[:, x1:x2].transpose(1, 0, 2)
        low, high = max(border - reach - band, 0), min(border + reach + band, end)
        gradient, colour = {}, {}
        for line in range(low + 1, high):
            gradient[line] = np.mean([abs(row[line, c] - row[line - 1, c]) for row in part for c in range(3)])
        for line in range(low + band, high - band + 1):
            steps = []
            for piece in np.array_split(part, pieces):
                change = piece[:, line : line + band].mean((0, 1)) - piece[:, line - band : line].mean((0, 1))
                steps.append(np.sqrt(np.mean(change**2)))
            colour[line] = np.mean(steps)
        for name, values, guard in (("gradient", gradient, 2), ("colour", colour, band)):
            usual = np.quantile([v for line, v in values.items() if abs(line - border) > guard], 0.9)
            worst[name].append((values[border] + 1) / (usual + 1))
    return {name: max(ratios) for name, ratios in worst.items()}


@pytest.mark.parametrize("known", [KNOWN, (0, 50, 180, 200), (60, 0, 240, 140), (22, 17, 199, 171)])
def test_figures_equal_the_reference(known):
    image = _grain(seed=3)
    image[:, 90:] += 9
    image[known[1] : known[3], known[0] : known[2]] //= 2
    found = seam_figures(image, known, reach=20, band=5, pieces=4)
    expected = _reference(image, known, 20, 5, 4)
    assert found == pytest.approx(expected, rel=1e-4)


def test_no_border_stands_out_of_grain():
    found = [seam_figures(_grain(seed=seed), KNOWN) for seed in range(10)]
    assert all(0.8 < figures["gradient"] < 1.2 and figures["colour"] < 1.3 for figures in found)


def test_a_step_in_colour_is_seen_through_grain():
    image = _grain()
    image[50:140, 60:180] += 12
    found = seam_figures(image, KNOWN)
    # thirteen grey values, one added, where bands of grain differ by less than three
    assert found["colour"] > 3
    # from pixel to pixel, the grain of twenty hides it
    assert found["gradient"] < 1.2


def test_a_thin_line_is_more_of_an_edge_than_of_a_step():
    image = _grain(spread=4)
    image[50:140, 59] = 255
    found = seam_figures(image, KNOWN)
    assert found["gradient"] > 10 and found["gradient"] > 1.5 * found["colour"]


def test_an_edge_that_goes_on_elsewhere_is_no_seam():
    """Stripes all over the picture: the border falls on one of many like it."""
    image = _grain(spread=4)
    image[:, (np.arange(240) // 6) % 2 == 0] += 80
    assert seam_figures(image, KNOWN)["gradient"] < 1.1
    image = _grain(spread=4)
    image[:, 60:] += 80
    assert seam_figures(image, KNOWN)["gradient"] > 5


def test_a_clear_sky_is_no_ground_for_tiny_steps():
    image = np.full((200, 240, 3), 200, np.uint8)
    image[50:140, 60:180] = 201
    assert seam_figures(image, KNOWN) == {"gradient": 2.0, "colour": 2.0}


def test_sides_on_the_edge_of_the_canvas_are_no_seams():
    image = _grain()
    assert seam_figures(image, (0, 0, 240, 200)) == {"gradient": 1.0, "colour": 1.0}
    # one pixel is painted on each side: nothing is known of what is usual on such a strip's far side
    found = seam_figures(image, (1, 1, 239, 199))
    assert np.isfinite(list(found.values())).all()


@pytest.mark.parametrize("width", [1, 2, 5])
def test_narrow_known_areas_have_figures(width):
    found = seam_figures(_grain(), (100, 60, 100 + width, 140))
    assert all(np.isfinite(v) and v > 0 for v in found.values())


def test_shifts_are_those_of_a_ramp():
    strip = np.repeat(np.arange(20, dtype=np.float32)[None, :, None] * 3, 8, axis=0).repeat(3, axis=2)
    # mean colours of two touching bands of four columns lie four columns apart
    np.testing.assert_allclose(colour_shifts(strip, 4, 2), np.full(13, 12.0), rtol=1e-6)

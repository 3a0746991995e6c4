"""Layouts against a sum cell by cell, and what a match tells apart."""

import numpy as np
import pytest

from procrop.generation.curation.composition_match import CELLS, composition_layout, composition_match

WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])


def test_a_layout_holds_the_roots_of_the_shares():
    subject = np.random.default_rng(0).random((12, 24))
    box = np.array([[0.25, 0.5, 0.75, 1.0]])  # rows 6 to 12, columns 6 to 18: cells of 1 x 2
    part = subject[6:, 6:18].reshape(CELLS, 1, CELLS, 2).sum(axis=(1, 3))
    expected = np.sqrt(part / part.sum()).ravel()
    np.testing.assert_allclose(composition_layout(subject, box), expected[None])


def test_cells_of_a_map_count_by_what_lies_inside():
    subject = np.ones((5, 7))
    found = composition_layout(subject, np.array([[0.1, 0.2, 0.87, 0.93]]))
    np.testing.assert_allclose(found, np.full((1, CELLS**2), 1 / CELLS))


def test_without_a_subject_all_cells_are_equal():
    np.testing.assert_allclose(composition_layout(np.zeros((8, 8)), WHOLE), np.full((1, 36), 1 / 6))


def test_match_is_the_stated_mean():
    rng = np.random.default_rng(1)
    layouts = composition_layout(rng.random((10, 10)), np.array([[0, 0, 1, 1], [0.2, 0.1, 0.9, 0.8]]))
    references = np.concatenate([composition_layout(rng.random((9, 16)), WHOLE) for _ in range(3)])
    for n, value in enumerate(composition_match(layouts, references)):
        terms = []
        for reference in references.reshape(-1, 6, 6):
            for view in (reference, reference[:, ::-1]):
                terms.append(np.exp(20 * float((layouts[n] * view.ravel()).sum())))
        assert value == pytest.approx(np.log(np.mean(terms)) / 20)


def test_a_crop_that_places_its_subject_as_the_references_do_matches_best():
    at = (np.arange(48) + 0.5) / 48

    def spot(x, y, width):
        return np.exp(-(((at - x) ** 2)[None] + ((at - y) ** 2)[:, None]) / width**2)

    references = composition_layout(spot(2 / 3, 0.5, 0.1), WHOLE)
    photo = spot(0.5, 0.5, 0.08)
    boxes = np.array([[0.1, 0.1, 0.7, 0.9], [0.2, 0.1, 0.8, 0.9], [0.3, 0.1, 0.9, 0.9], [0, 0, 1, 1]])
    match = composition_match(composition_layout(photo, boxes), references)
    # the subject at two thirds, and mirrored at one third; then in the middle
    assert match[0] > match[1] and match[2] > match[1] and match.max() <= 1
    assert match[0] == pytest.approx(match[2], abs=0.02)

"""Control tables keep the form and change which photos a query gets, and nothing else."""

import numpy as np
import pytest
from colour_backbone import draw_photos

from procrop.io.photo import read_photo
from procrop.retrieval import NeighbourTable, build_gallery, items_from_folder
from procrop.retrieval.controls import random_table, rescored_table, restricted_table, shuffled_table


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    root = tmp_path_factory.mktemp("controls")
    photos = draw_photos(root / "photos", 20)
    retrieval = dict(backbone=dict(type="ColourBackbone"), key_transform=dict(type="Normalise"))
    return build_gallery(root / "gallery", items_from_folder(photos), retrieval, photos)


@pytest.fixture(scope="module")
def queries(tmp_path_factory):
    folder = draw_photos(tmp_path_factory.mktemp("queries"), 6, seed=9)
    return [(path.stem, path.stem + " source", path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def table(gallery, queries):
    return NeighbourTable.build(queries, gallery, 5)


@pytest.fixture(scope="module")
def keys(gallery, queries):
    return gallery.query_keys([read_photo(path) for _, _, path in queries])


def true_scores(gallery, key):
    """Similarity of one query to all photos, by hand."""
    every, _ = gallery.search_keys(key[None], len(gallery))
    stored = gallery.query_keys([read_photo(gallery.photo_path(i)) for i in range(len(gallery))])
    assert sorted(every[0]) == list(range(len(gallery)))
    return stored.astype(np.float64) @ key.astype(np.float64)


def test_a_shuffle_gives_each_query_the_rows_of_another(table):
    chosen = table.query_ids[1:5]
    shuffled = shuffled_table(table, chosen, seed=3)
    before = {q: tuple(table.lookup(q, 5)[0]) for q in table.query_ids}
    after = {q: tuple(shuffled.lookup(q, 5)[0]) for q in table.query_ids}
    assert all(after[q] == before[q] for q in table.query_ids if q not in chosen)
    assert all(after[q] != before[q] for q in chosen)
    assert sorted(after[q] for q in chosen) == sorted(before[q] for q in chosen)
    assert shuffled.gallery_sha256 == table.gallery_sha256 and shuffled.path is None
    again = shuffled_table(table, chosen, seed=3)
    np.testing.assert_array_equal(shuffled.ids, again.ids)
    with pytest.raises(ValueError, match="at least two"):
        shuffled_table(table, chosen[:1])


def test_random_references_carry_their_true_similarity(table, gallery, keys):
    drawn = random_table(table, gallery, keys, seed=1)
    for row, key in enumerate(keys):
        assert len(set(drawn.ids[row])) == 5
        np.testing.assert_allclose(drawn.scores[row], true_scores(gallery, key)[drawn.ids[row]], rtol=1e-5)
        assert (np.diff(drawn.scores[row]) <= 0).all()
    assert (drawn.ids != random_table(table, gallery, keys, seed=2).ids).any()
    assert (drawn.ids != table.ids).any()


def test_a_restriction_gives_the_best_of_what_is_allowed(table, gallery, keys):
    allowed = {q: np.arange(i, 20, 4) for i, q in enumerate(table.query_ids[:4])}
    allowed |= {q: np.array([2, 7]) for q in table.query_ids[4:]}
    found = restricted_table(table, gallery, keys, allowed.__getitem__)
    for row, query in enumerate(table.query_ids):
        scores = true_scores(gallery, keys[row])
        expected = sorted(allowed[query], key=lambda i: (-scores[i], i))[:5]
        ids, _ = found.lookup(query, 5)
        np.testing.assert_array_equal(ids, expected)


def test_a_shuffle_crosses_sources_and_keeps_barred_photos_out(table):
    sources = ["a", "b", "a", "c", "a", "b"]
    rows = {tuple(ids): source for ids, source in zip(table.ids.tolist(), sources, strict=True)}
    for seed in range(20):
        shuffled = shuffled_table(table, table.query_ids, seed, sources)
        assert all(rows[tuple(ids)] != own for ids, own in zip(shuffled.ids.tolist(), sources, strict=True))
    with pytest.raises(ValueError, match="4 of 6 queries have one source"):
        shuffled_table(table, table.query_ids, 0, ["a"] * 4 + ["b", "c"])

    plain = shuffled_table(table, table.query_ids, 3)
    barred = {q: plain.lookup(q, 5)[0][[0, 3]] for q in table.query_ids}
    shuffled = shuffled_table(table, table.query_ids, 3, barred=barred.__getitem__)
    for query in table.query_ids:
        ids, scores = plain.lookup(query, 5)
        found, kept = shuffled.lookup(query, 5)
        np.testing.assert_array_equal(found, ids[[1, 2, 4]])
        np.testing.assert_array_equal(kept, scores[[1, 2, 4]])


def test_random_references_without_keys_change_the_photos_only(table, gallery, keys):
    barred = {q: table.lookup(q, 5)[0] for q in table.query_ids}
    drawn = random_table(table, gallery, None, seed=1, barred=barred.__getitem__)
    np.testing.assert_array_equal(drawn.scores, table.scores)
    for row, query in enumerate(table.query_ids):
        assert len(set(drawn.ids[row])) == 5 and not set(drawn.ids[row]) & set(barred[query])
    true = rescored_table(drawn, gallery, keys)
    for row, key in enumerate(keys):
        assert set(true.ids[row]) == set(drawn.ids[row])
        np.testing.assert_allclose(true.scores[row], true_scores(gallery, key)[true.ids[row]], rtol=1e-5)


def test_a_query_with_few_neighbours_gets_as_few_random_ones(table, gallery):
    ids, scores = table.ids.copy(), table.scores.copy()
    ids[2, 3:], scores[2, 3:] = -1, 0
    short = NeighbourTable(table.query_ids, ids, scores, table.gallery_fingerprint, table.gallery_sha256)
    drawn = random_table(short, gallery, None)
    assert [(row >= 0).sum() for row in drawn.ids] == [5, 5, 3, 5, 5, 5]

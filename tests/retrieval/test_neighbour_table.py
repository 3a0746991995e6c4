"""Neighbour tables: never the query itself or its source, and never of another gallery."""

import shutil

import numpy as np
import pytest
from colour_backbone import draw_photos

from procrop.retrieval import (
    GalleryItem,
    NeighbourTable,
    NeighbourTableError,
    build_gallery,
    items_from_folder,
)


@pytest.fixture
def gallery(tmp_path, photos, retrieval):
    return build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)


@pytest.fixture
def queries(tmp_path):
    folder = draw_photos(tmp_path / "queries", 40, seed=3)
    return [(f"q{p.stem}", f"q{p.stem}", p) for p in sorted(folder.iterdir())]


def test_agrees_with_searching(gallery, queries):
    from PIL import Image

    table = NeighbourTable.build(queries, gallery, 5)
    assert len(table) == 40 and table.k == 5 and table.rejected == []
    for name, _, path in queries[::7]:
        ids, scores = gallery.search([np.asarray(Image.open(path))], 5)
        found = table.lookup(name, 5)
        np.testing.assert_array_equal(found[0], ids[0])
        np.testing.assert_array_equal(found[1], scores[0])
        np.testing.assert_array_equal(table.lookup(name, 2)[0], ids[0, :2])
        assert found[0].dtype == np.int64 and found[1].dtype == np.float32


def test_all_queries_of_a_chunk_are_searched_for_at_once(gallery, queries, monkeypatch):
    searches = []
    search = type(gallery.index).search

    def counted(index, keys, *args):
        searches.append(len(keys))
        return search(index, keys, *args)

    monkeypatch.setattr(type(gallery.index), "search", counted)
    NeighbourTable.build(queries, gallery, 5)
    assert searches == [32, 8]


def test_queries_with_fewer_neighbours_do_not_cut_those_of_others(tmp_path, photos, retrieval):
    """18 of 20 photos are of one source."""
    items = [GalleryItem(p, "many" if i < 18 else "few") for i, p in enumerate(sorted(photos.iterdir()))]
    gallery = build_gallery(tmp_path / "s", items, retrieval, photos)
    other = sorted(draw_photos(tmp_path / "other", 3, seed=8).iterdir())
    table = NeighbourTable.build(zip("abc", ("many", "few", "c"), other, strict=True), gallery, 19)
    assert [len(table.lookup(name, 19)[0]) for name in "abc"] == [2, 18, 19]
    assert table.ids[0, 2:].tolist() == [-1] * 17 and not table.scores[0, 2:].any()
    assert set(table.ids[0, :2]) == {18, 19} and set(table.ids[1, :18]) == set(range(18))


def test_a_photo_never_finds_itself(gallery, photos):
    queries = [(p.stem, p.stem, p) for p in sorted(photos.iterdir())]
    table = NeighbourTable.build(queries, gallery, 19)
    for i, (name, _, _) in enumerate(queries):
        assert sorted(table.lookup(name, 19)[0]) == [j for j in range(20) if j != i]


def test_a_copy_under_another_name_is_not_found_either(tmp_path, gallery, photos):
    shutil.copy(photos / "p007.png", tmp_path / "holiday.png")
    table = NeighbourTable.build([("x", "x", tmp_path / "holiday.png")], gallery, 20)
    assert 7 not in table.ids


def test_a_copys_siblings_are_not_found_either(tmp_path, photos, retrieval):
    """The copy has another name and another source, but its content gives away which source it is."""
    items = [GalleryItem(p, f"source{i % 4}") for i, p in enumerate(sorted(photos.iterdir()))]
    gallery = build_gallery(tmp_path / "s", items, retrieval, photos)
    shutil.copy(photos / "p007.png", tmp_path / "holiday.png")
    ids, _ = NeighbourTable.build([("x", "x", tmp_path / "holiday.png")], gallery, 20).lookup("x", 20)
    assert sorted(ids) == [i for i in range(20) if i % 4 != 3]


def test_nothing_of_the_same_source_is_found(tmp_path, photos, retrieval):
    items = [GalleryItem(p, f"source{i % 4}") for i, p in enumerate(sorted(photos.iterdir()))]
    gallery = build_gallery(tmp_path / "s", items, retrieval, photos)
    other = draw_photos(tmp_path / "other", 1, seed=8) / "p000.png"
    ids, _ = NeighbourTable.build([("x", "source2", other)], gallery, 20).lookup("x", 20)
    assert sorted(ids) == [i for i in range(20) if i % 4 != 2]


def test_a_small_gallery_gives_what_there_is(gallery, photos):
    table = NeighbourTable.build([("p003", "p003", photos / "p003.png")], gallery, 30)
    assert (
        table.ids.shape == (1, 30) and (table.ids[0, 19:] == -1).all() and (table.scores[0, 19:] == 0).all()
    )
    ids, scores = table.lookup("p003", 30)
    assert ids.shape == scores.shape == (19,) and ids.min() >= 0
    assert table.lookup("p003", 0)[0].shape == (0,)


def test_save_and_open(gallery, queries, tmp_path):
    table = NeighbourTable.build([*queries, ("caf\udce9", "s", queries[0][2])], gallery, 4)
    table.save(tmp_path / "t.npz")
    again = NeighbourTable.open(tmp_path / "t.npz", gallery)
    assert again.query_ids == table.query_ids and "caf\udce9" in again
    np.testing.assert_array_equal(again.ids, table.ids)
    np.testing.assert_array_equal(again.scores, table.scores)
    assert again.gallery_fingerprint == gallery.fingerprint
    first = (tmp_path / "t.npz").read_bytes()
    NeighbourTable.build([*queries, ("caf\udce9", "s", queries[0][2])], gallery, 4).save(tmp_path / "t.npz")
    assert (tmp_path / "t.npz").read_bytes() == first


def test_what_is_missing_is_named_with_the_remedy(gallery, queries, tmp_path):
    table = NeighbourTable.build(queries[:3], gallery, 4)
    table.save(tmp_path / "t.npz")
    with pytest.raises(NeighbourTableError, match=r"t.npz.*'nobody'.*tools/neighbours.py CONFIG"):
        table.lookup("nobody", 2)
    with pytest.raises(NeighbourTableError, match=r"keeps 4 neighbours, 9 wanted.*--k 9"):
        table.lookup("qp000", 9)
    with pytest.raises(NeighbourTableError, match=r"none.npz: not found.*tools/neighbours.py"):
        NeighbourTable.open(tmp_path / "none.npz")


def test_another_gallery_is_refused(tmp_path, gallery, queries, photos, retrieval):
    NeighbourTable.build(queries[:3], gallery, 4).save(tmp_path / "t.npz")
    fewer = build_gallery(tmp_path / "fewer", items_from_folder(photos)[1:], retrieval, photos)
    with pytest.raises(NeighbourTableError, match="rebuilt from other photos"):
        NeighbourTable.open(tmp_path / "t.npz", fewer)
    retrieval["backbone"]["salt"] = 1
    other = build_gallery(tmp_path / "other", items_from_folder(photos), retrieval, photos)
    with pytest.raises(NeighbourTableError, match="another encoder"):
        NeighbourTable.open(tmp_path / "t.npz", other)


def test_flipped_bytes_never_change_an_answer(gallery, queries, tmp_path):
    """Every 97th byte flipped in turn: an error, or (in padding and unused headers) the very same table."""
    path = tmp_path / "t.npz"
    table = NeighbourTable.build(queries[:6], gallery, 4)
    table.save(path)
    data, refused = path.read_bytes(), 0
    for position in range(0, len(data), 97):
        path.write_bytes(data[:position] + bytes([data[position] ^ 255]) + data[position + 1 :])
        try:
            again = NeighbourTable.open(path)
        except NeighbourTableError as error:
            assert "t.npz" in str(error)
            refused += 1
            continue
        assert again.query_ids == table.query_ids and again.gallery_sha256 == table.gallery_sha256
        np.testing.assert_array_equal(again.ids, table.ids)
        np.testing.assert_array_equal(again.scores, table.scores)
    assert refused > 5


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04"])
def test_foreign_files_are_refused(tmp_path, content):
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(NeighbourTableError, match="t.npz: damaged"):
        NeighbourTable.open(tmp_path / "t.npz")


def test_an_older_version_is_refused(gallery, queries, tmp_path):
    NeighbourTable.build(queries[:1], gallery, 2).save(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as file:
        data = dict(file)
    np.savez(tmp_path / "t.npz", **{**data, "version": np.int64(0)})
    with pytest.raises(NeighbourTableError, match="version 0"):
        NeighbourTable.open(tmp_path / "t.npz")


def test_unreadable_queries_are_set_aside(gallery, queries, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"")
    table = NeighbourTable.build([("bad", "bad", tmp_path / "bad.jpg"), *queries[:2]], gallery, 2)
    assert table.query_ids == ["qp000", "qp001"]
    ((name, reason),) = table.rejected
    assert name == "bad" and "bad.jpg" in reason
    with pytest.raises(NeighbourTableError, match="bad.jpg"):
        NeighbourTable.build([("bad", "bad", tmp_path / "bad.jpg")], gallery, 2)


def test_repeats_and_clashes(gallery, queries):
    assert len(NeighbourTable.build(queries[:2] * 2, gallery, 2)) == 2
    with pytest.raises(NeighbourTableError, match="'qp000' names two photos"):
        NeighbourTable.build([queries[0], (queries[0][0], "s", queries[1][2])], gallery, 2)
    with pytest.raises(NeighbourTableError, match="at least 1"):
        NeighbourTable.build(queries, gallery, 0)
    with pytest.raises(NeighbourTableError, match="do not fit"):
        NeighbourTable(["a"], np.zeros((2, 3)), np.zeros((2, 3)), "f")

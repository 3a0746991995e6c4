"""The retrieval benchmark runs, and what it measures is what it says."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "benchmarks"))

import recall
import retrieval
import retrieval_parts
from pairs import PairedTimes


def test_quick_run_of_the_cheap_parts_writes_its_tables(tmp_path, capsys):
    out = tmp_path / "made" / "retrieval.md"
    retrieval.main(
        ["--quick", "--threads", "1", "--parts", "exact", "batch", "growth", "store", "--out", str(out)]
    )
    text = out.read_text()
    assert "QUICK" in text and text.count("|---|") >= 4 and "nan" not in text
    for name in ("40 queries of 32 numbers", "keys of 32 numbers", "| 4,000 |", "200 reads of 10 x 32 kB"):
        assert name in text
    assert "== store" in capsys.readouterr().out


def test_the_plain_searches_and_the_index_find_the_same():
    keys, queries = retrieval_parts.unit_keys(500, 16, 0), retrieval_parts.unit_keys(9, 16, 1)
    ways = retrieval_parts.plain_searches(keys, queries)
    expected = recall.filled(__import__("procrop.retrieval").retrieval.FaissIndex("Flat"), keys).search(
        queries, 10
    )[0]
    np.testing.assert_array_equal(ways["NumPy"](), expected)
    np.testing.assert_array_equal(ways["torch"]().indices.numpy(), expected)


def test_speed_is_the_other_sides_time_over_ours():
    line = retrieval_parts.row("search", PairedTimes([1.0, 2.0, 1.0], [2.0, 2.0, 1.5]), 0.8)
    assert "1.50 (1.00 to 2.00)" in line and ">= 0.8 met" in line
    assert ">= 0.9 missed" in retrieval_parts.row("search", PairedTimes([2.0], [1.0]), 0.9)


def test_clustered_keys_are_clustered_and_repeat():
    keys = recall.clustered_keys(3000, 64)
    np.testing.assert_array_equal(keys, recall.clustered_keys(3000, 64))
    assert not np.array_equal(keys[:10], recall.clustered_keys(10, 64, seed=1))
    # 32 directions carry nearly all of it
    spectrum = np.linalg.svd(keys - keys.mean(0), compute_uv=False) ** 2
    assert spectrum[:32].sum() > 0.98 * spectrum.sum()
    # neighbours are far nearer than strangers
    nearest = np.sort(((keys[:50, None] - keys[None]) ** 2).sum(-1), axis=1)
    assert np.median(nearest[:, 1]) < 0.35 * np.median(nearest[:, 1500])


def test_a_curve_knows_exact_from_poor():
    from procrop.retrieval import FaissIndex

    keys, queries = recall.clustered_keys(2000, 32), recall.clustered_keys(50, 32, seed=1)
    exact = recall.filled(FaissIndex("Flat"), keys)
    index = recall.filled(FaissIndex("IVF16,Flat"), keys)
    poor, all_lists = recall.curve(index, exact, queries, [{"nprobe": 1}, {"nprobe": 16}], 1)
    assert poor.recall < all_lists.recall == pytest.approx(1)
    assert all_lists.settings == "nprobe 16" and all_lists.speed > 0

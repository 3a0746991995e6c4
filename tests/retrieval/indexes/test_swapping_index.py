"""Another index in configs/procrop_toy.py is one line, and finds the same neighbours."""

import importlib.util

import pytest
import torch
from swap_cases import TOY, losses_and_crops, read

from procrop.retrieval import NeighbourTable

INDEXES = {
    "HNSW": 'dict(type="FaissIndex", factory="HNSW8")',
    "IVF": 'dict(type="FaissIndex", factory="IVF1,Flat")',
    "milvus": 'dict(type="MilvusIndex")',
    "elasticsearch": 'dict(type="ElasticsearchIndex")',
}


@pytest.mark.parametrize("name", INDEXES)
def test_another_index_is_one_line(toy, tmp_path, name, elasticsearch_server):
    for package in {"milvus": ["milvus_lite"], "elasticsearch": ["elasticsearch"]}.get(name, []):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    folder = {kind: tmp_path / kind for kind in ("flat", "other")}
    for path in folder.values():
        path.mkdir()
    text = TOY.read_text()
    exact = losses_and_crops(toy, folder["flat"], read(toy, folder["flat"], text))[0]
    cfg = read(
        toy, folder["other"], text + f"retrieval = dict(index=dict(_delete_=True, {INDEXES[name][5:]})\n"
    )
    torch.manual_seed(0)
    assert 0 < losses_and_crops(toy, folder["other"], cfg)[0] < 1e3 and exact > 0
    tables = [NeighbourTable.open(path / "table.npz") for path in folder.values()]
    # with eight photos every kind finds the same neighbours
    assert (tables[0].ids == tables[1].ids).all()

"""States of a training: a run that is cut goes on bit by bit, and damage or another run is refused."""

import pytest
import torch
from torch import nn

from procrop.networks.training_state import TrainingStateError, load_training_state, save_training_state

REMEDY = "start again"


def _run():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    return network, torch.optim.AdamW(network.parameters(), lr=0.01)


def _steps(network, optimizer, first, last):
    for step in range(first, last):
        x = torch.randn(6, 4, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        network(x).square().mean().backward()
        optimizer.step()


def test_a_run_goes_on_as_if_it_had_not_been_cut(tmp_path):
    whole = _run()
    _steps(*whole, 0, 6)
    cut = _run()
    _steps(*cut, 0, 3)
    save_training_state(tmp_path / "state.safetensors", *cut, "run", 3)
    network, optimizer = _run()
    assert load_training_state(tmp_path / "state.safetensors", network, optimizer, "run", REMEDY) == 3
    _steps(network, optimizer, 3, 6)
    for name, value in whole[0].state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=0, atol=0)


def test_a_state_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    run = _run()
    _steps(*run, 0, 1)
    save_training_state(path, *run, "run", 1)
    with pytest.raises(TrainingStateError, match="of a run with other settings or photos; start again"):
        load_training_state(path, *_run(), "another", REMEDY)
    other = nn.Linear(3, 1)
    with pytest.raises(TrainingStateError, match="state.safetensors: damaged"):
        load_training_state(path, other, torch.optim.AdamW(other.parameters()), "run", REMEDY)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(TrainingStateError, match="state.safetensors: damaged .*; start again"):
        load_training_state(path, *_run(), "run", REMEDY)
    with pytest.raises(TrainingStateError, match="none: damaged"):
        load_training_state(tmp_path / "none", *_run(), "run", REMEDY)

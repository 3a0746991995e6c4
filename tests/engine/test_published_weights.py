"""Weights in a safetensors file that knows its config."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from procrop.engine.checkpoint import CheckpointError, load_checkpoint_file
from procrop.engine.config_text import checkpoint_config
from procrop.engine.published_weights import pack_weights

WEIGHTS = {
    "b.kernel": torch.linspace(-2, 2, 24).reshape(2, 3, 4),
    "a.running_var": torch.tensor([1e-7, 3.3, 9e4]),
    "c.count": torch.tensor(7),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(pack_weights(WEIGHTS, dict(config="a = dict(b=1)\n", retrieval=None, name="é")))
    return path


def test_tensors_are_halved_and_vectors_and_counts_are_not(path):
    loaded = load_checkpoint_file(path)
    state = loaded["state_dict"]
    halved = WEIGHTS["b.kernel"].numpy().astype(np.float16).astype(np.float32)
    assert state["b.kernel"].dtype == torch.float32 and np.array_equal(state["b.kernel"].numpy(), halved)
    assert not np.array_equal(halved, WEIGHTS["b.kernel"].numpy())
    assert torch.equal(state["a.running_var"], WEIGHTS["a.running_var"])
    assert state["c.count"] == 7 and state["c.count"].dtype == torch.int64
    assert loaded["meta"]["procrop"]["name"] == "é"
    assert checkpoint_config(loaded).to_dict() == {"a": {"b": 1}}


def test_order_and_memory_layout_change_no_byte(path):
    shuffled = {name: WEIGHTS[name] for name in ("c.count", "a.running_var")}
    shuffled["b.kernel"] = WEIGHTS["b.kernel"].permute(2, 1, 0).contiguous().permute(2, 1, 0)
    own = dict(name="é", retrieval=None, config="a = dict(b=1)\n")
    assert pack_weights(shuffled, own) == path.read_bytes()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "a.weight holds a number that is not finite"),
        (7e4, r"a.weight holds 7e\+04, .*float16"),
    ],
)
def test_what_half_precision_cannot_hold_is_an_error(value, said):
    with pytest.raises(ValueError, match=said):
        pack_weights({"a.weight": torch.full((1, 2), value)}, {})


def test_a_file_of_another_program_is_read_as_it_is(tmp_path):
    save_file({"w": torch.ones(2, 2).half()}, tmp_path / "w.safetensors", {"format": "pt", "note": "x"})
    loaded = load_checkpoint_file(tmp_path / "w.safetensors")
    assert (
        loaded["meta"] == {"format": "pt", "note": "x"} and loaded["state_dict"]["w"].dtype == torch.float16
    )


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_metadata_that_cannot_be_read_are_named(tmp_path, text):
    save_file({"w": torch.ones(2)}, tmp_path / "w.safetensors", {"procrop": text})
    with pytest.raises(CheckpointError, match=r"w.safetensors: damaged, or not a safetensors file"):
        load_checkpoint_file(tmp_path / "w.safetensors")

"""Weight files: read as data, loaded whole or not at all."""

import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from procrop.networks.weights import load_strict, read_state


@pytest.fixture
def state():
    generator = torch.Generator().manual_seed(0)
    return {"weight": torch.randn(2, 3, generator=generator), "bias": torch.randn(2, generator=generator)}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_both_formats_and_a_wrapped_state(state, tmp_path):
    torch.save(state, tmp_path / "a.pth")
    torch.save({"state_dict": state}, tmp_path / "b.pth")
    save_file(state, tmp_path / "c.safetensors")
    for name in ("a.pth", "b.pth", "c.safetensors"):
        assert same(read_state(tmp_path / name), state), name
        assert same(read_state(str(tmp_path / name)), state), name


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"lost\.pth: no such weight file"):
        read_state(tmp_path / "lost.pth")
    with pytest.raises(FileNotFoundError, match="no such weight file"):
        read_state(tmp_path)  # a folder


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_code_in_a_pickle_is_not_run(state, tmp_path):
    marker = tmp_path / "ran"
    torch.save({**state, "trap": Trap(marker)}, tmp_path / "trap.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Trap(marker)))
    for name in ("trap.pth", "plain.pth"):
        with pytest.raises(ValueError, match=rf"{name}: cannot be read as weights"):
            read_state(tmp_path / name)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["bad.pth", "bad.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all"])
def test_a_file_of_something_else(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: cannot be read as weights"):
        read_state(tmp_path / name)


def test_a_truncated_file(state, tmp_path):
    torch.save(state, tmp_path / "a.pth")
    save_file(state, tmp_path / "a.safetensors")
    for path in (tmp_path / "a.pth", tmp_path / "a.safetensors"):
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(ValueError, match="cannot be read as weights"):
            read_state(path)


@pytest.mark.parametrize(
    "content", [torch.zeros(3), [torch.zeros(3)], {"weight": torch.zeros(3), "epoch": 7}, {"state_dict": 3}]
)
def test_something_else_than_named_tensors(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth: holds something else than named tensors"):
        read_state(tmp_path / "a.pth")


def test_a_state_that_fits_is_loaded(state):
    network = nn.Linear(3, 2)
    load_strict(network, state, "file", "a layer", "")
    assert same(dict(network.state_dict()), state)


@pytest.mark.parametrize(
    ("change", "counts", "example"),
    [
        (lambda s: s.pop("bias"), "1 keys missing, 0 unexpected, 0 of another shape", "bias"),
        (
            lambda s: s.update(scale=torch.ones(1)),
            "0 keys missing, 1 unexpected, 0 of another shape",
            "scale",
        ),
        (
            lambda s: s.update(weight=torch.ones(3, 2)),
            "0 keys missing, 0 unexpected, 1 of another shape",
            "weight",
        ),
    ],
)
def test_a_misfit_is_counted_and_nothing_is_loaded(state, change, counts, example):
    network = nn.Linear(3, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    change(state)
    with pytest.raises(ValueError) as error:
        load_strict(network, state, "some.pth", "a small layer", "take another file")
    message = str(error.value)
    assert message.startswith("some.pth: not weights of a small layer: ")
    assert counts in message and f"e.g. {example}" in message and message.endswith("take another file")
    assert same(dict(network.state_dict()), before)


def test_the_examples_of_a_foreign_file_are_few():
    state = {f"layer{i}.weight": torch.zeros(1) for i in range(500)}
    with pytest.raises(ValueError, match="2 keys missing, 500 unexpected") as error:
        load_strict(nn.Linear(3, 2), state, "some.pth", "a layer", "stop")
    assert len(str(error.value)) < 250


def test_optional_names_may_be_left_out_but_not_misfit(state):
    network = nn.Linear(3, 2)
    kept = network.bias.detach().clone()
    load_strict(network, {"weight": state["weight"]}, "file", "a layer", "", optional=["bias"])
    assert torch.equal(network.weight, state["weight"]) and torch.equal(network.bias, kept)
    with pytest.raises(ValueError, match="1 of another shape"):
        load_strict(network, {**state, "bias": torch.ones(3)}, "file", "a layer", "", optional=["bias"])
    with pytest.raises(ValueError, match="1 keys missing"):
        load_strict(network, {"bias": state["bias"]}, "file", "a layer", "", optional=["bias"])

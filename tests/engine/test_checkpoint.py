"""Checkpoints: what may be in one, what may not, and what happens when it does not fit."""

import argparse
import os
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from torch import nn

from procrop.engine.checkpoint import (
    CheckpointError,
    install_safe_loading,
    load_checkpoint_file,
    load_weights,
    state_dict_of,
)
from procrop.engine.config_text import checkpoint_config, parse_config_text


class Attack:
    """Pickles into a call of ``function``."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def make_model(width=3):
    return nn.Sequential(
        OrderedDict(first=nn.Conv2d(2, width, 1), norm=nn.BatchNorm2d(width), last=nn.Linear(width, 1))
    )


def test_mmengine_and_detr_contents_survive(tmp_path):
    path = tmp_path / "a.pth"
    content = dict(
        message_hub=dict(log_scalars=dict(loss=HistoryBuffer([1.0, 4.0], [1, 1]))),
        meta=dict(best=np.float64(0.5), step=np.int64(3), seen=np.arange(3), flag=np.bool_(True)),
        args=argparse.Namespace(lr=0.1),
        state_dict=OrderedDict(w=torch.arange(3.0)),
    )
    torch.save(content, path)
    loaded = load_checkpoint_file(path)
    assert loaded["message_hub"]["log_scalars"]["loss"].mean() == 2.5
    assert loaded["meta"]["best"] == 0.5 and loaded["meta"]["step"] == 3 and loaded["meta"]["flag"]
    assert loaded["meta"]["seen"].tolist() == [0, 1, 2]
    assert loaded["args"].lr == 0.1
    assert loaded["state_dict"]["w"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("zip_format", [True, False])
@pytest.mark.parametrize("function", [os.system, eval, exec, open, getattr])
def test_malicious_pickles_are_refused(tmp_path, function, zip_format):
    path, mark = tmp_path / "evil.pth", tmp_path / "was_here"
    arguments = {
        os.system: (f"touch {mark}",),
        eval: (f"open({str(mark)!r}, 'w')",),
        exec: (f"open({str(mark)!r}, 'w')",),
        open: (str(mark), "w"),
        getattr: (HistoryBuffer, "__init__"),  # the allowed stand-in must not become a way out
    }[function]
    torch.save(
        {"state_dict": {"w": torch.ones(1)}, "x": Attack(function, *arguments)},
        path,
        _use_new_zipfile_serialization=zip_format,
    )
    with pytest.raises(CheckpointError, match=f"evil.pth: refused.*`[a-z.]*{function.__name__}`"):
        load_checkpoint_file(path)
    assert not mark.exists()


def test_mmengine_loads_through_the_same_reader(tmp_path, monkeypatch):
    """``load_from`` and ``init_cfg`` go through mmengine's loader, which must not unpickle either."""
    from mmengine.runner.checkpoint import _load_checkpoint

    install_safe_loading()
    mark = tmp_path / "was_here"
    evil = tmp_path / "evil.pth"
    torch.save({"x": Attack(eval, f"open({str(mark)!r}, 'w')")}, evil)
    with pytest.raises(CheckpointError, match="refused"):
        _load_checkpoint(str(evil))
    # a URL's file, once in the cache, is read the same way, whatever names it
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    name = "resnet50-0676ba61.pth"
    (tmp_path / "hub/checkpoints" / name).write_bytes(evil.read_bytes())
    for source in (f"https://example.org/{name}", "torchvision://resnet50"):
        with pytest.raises(CheckpointError, match=f"{name}: refused"):
            _load_checkpoint(source)
    with pytest.raises(CheckpointError, match="local path"):
        _load_checkpoint("s3://bucket/a.pth")
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"hello world", b"junk", b"PK\x03\x04 cut", b"\x80\x02}q\x00("])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files_are_named(tmp_path, content, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"bad{suffix}: damaged"):
        load_checkpoint_file(path)


def test_truncated_and_missing(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"state_dict": make_model().state_dict()}, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="a.pth: damaged"):
        load_checkpoint_file(path)
    with pytest.raises(CheckpointError, match="b.pth: no such"):
        load_checkpoint_file(tmp_path / "b.pth")
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match="holds a list"):
        load_checkpoint_file(path)


def test_sha256(tmp_path):
    import hashlib

    path = tmp_path / "a.pth"
    torch.save({"w": torch.ones(2)}, path)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_checkpoint_file(path, sha256=right.upper())["w"].sum() == 2
    with pytest.raises(CheckpointError, match=f"a.pth: SHA-256 is {right}, expected {'0' * 64}"):
        load_checkpoint_file(path, sha256="0" * 64)


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "a.safetensors"
    save_file({"w": torch.arange(4.0)}, path, metadata={"origin": "here"})
    loaded = load_checkpoint_file(path)
    assert loaded["state_dict"]["w"].tolist() == [0, 1, 2, 3] and loaded["meta"] == {"origin": "here"}


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"model": s, "epoch": 3}]
)
def test_state_dict_of_all_families(wrap):
    weights = {"module.w": torch.ones(1), "b": torch.zeros(1)}
    assert list(state_dict_of(wrap(weights))) == ["w", "b"]
    with pytest.raises(CheckpointError, match="x.pth: holds no weights"):
        state_dict_of({"meta": {}}, "x.pth")


def test_weights_that_fit():
    source, target = make_model(), make_model()
    report = load_weights(target, {"state_dict": source.state_dict()})
    for key, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[key], value)
    assert len(report.loaded) == len(source.state_dict()) and report.summary() == "9 weights loaded"


def test_misfits_are_counted_and_nothing_is_loaded():
    target = make_model()
    before = {key: value.clone() for key, value in target.state_dict().items()}
    weights = dict(make_model(width=4).state_dict())
    del weights["first.weight"], weights["norm.num_batches_tracked"]
    weights["extra.a"] = weights["extra.b"] = torch.ones(1)
    with pytest.raises(CheckpointError) as caught:
        load_weights(target, {"state_dict": weights}, name="x.pth")
    text = str(caught.value)
    assert text.startswith("x.pth: does not fit Sequential (1 of 9 weights match)")
    assert "1 weight of the model not in the file (first.weight)" in text
    assert "2 weights of the file not in the model (extra.a, extra.b)" in text
    assert "6 weights of another shape (first.bias: file (4,), model (3,)" in text
    assert all(torch.equal(before[key], value) for key, value in target.state_dict().items())

    report = load_weights(target, {"state_dict": weights}, strict=False)
    assert report.loaded == ["last.bias"]
    assert torch.equal(target.last.bias, weights["last.bias"])
    assert torch.equal(target.norm.weight, before["norm.weight"])


def test_allowed_prefixes():
    weights = dict(make_model(width=4).state_dict(), extra=torch.ones(1))
    load_weights(make_model(), weights, allow=("first.", "norm.", "last.", "extra"))
    with pytest.raises(CheckpointError, match=r"1 weight of another shape \(last.weight"):
        load_weights(make_model(), weights, allow=("first.", "norm.", "extra"))


def test_config_text_is_data_not_code(tmp_path):
    text = "a = dict(b=[1, -2.5, (None, 'x')], c={'d e': True}, f=float('inf'), g=inf, s={1})\nname = 'n'\n"
    assert parse_config_text(text) == {
        "a": {
            "b": [1, -2.5, (None, "x")],
            "c": {"d e": True},
            "f": float("inf"),
            "g": float("inf"),
            "s": {1},
        },
        "name": "n",
    }
    mark = tmp_path / "was_here"
    attacks = [
        f"import os\na = os.system('touch {mark}')",
        f"a = open({str(mark)!r}, 'w')",
        f"a = [open({str(mark)!r}, 'w') for _ in range(1)]",
        "a = b = 1",
        "a = ().__class__",
        "a = dict(**{'b': 1})",
        "a = (",
        "a = 1\0",
    ]
    for attack in attacks:
        with pytest.raises(ValueError):
            parse_config_text(attack)
        with pytest.raises(CheckpointError, match="x.pth: its config cannot be read"):
            checkpoint_config({"meta": {"cfg": attack}}, "x.pth")
    assert not mark.exists()
    with pytest.raises(CheckpointError, match="x.pth: holds no config"):
        checkpoint_config({"meta": {}}, "x.pth")
    assert checkpoint_config({"meta": {"procrop": {"config": text}, "cfg": "other = 1"}}).name == "n"

"""Squared distances between keys are LPIPS, as the lpips package computes it."""

import itertools
from functools import cache
from pathlib import Path

import lpips
import numpy as np
import pytest
import torch
from mmengine import Config
from PIL import Image

from procrop.registry import RETRIEVAL_BACKBONES
from procrop.retrieval.backbones import LPIPSRetrieval

CONFIG = Path(__file__).parents[3] / "configs" / "_base_" / "retrieval" / "lpips_alex.py"
KEY_DIMS = {("alex", 32): 5760, ("alex", 64): 31872, ("vgg", 64): 499712, ("squeeze", 64): 118976}


@pytest.fixture(scope="module")
def images():
    import skimage.data

    return [skimage.data.chelsea(), skimage.data.coffee(), skimage.data.astronaut(), skimage.data.rocket()]


@cache
def reference(net):
    """The package's LPIPS with its learned weights on a random trunk."""
    torch.manual_seed(0)
    return lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval()


def torchvision_file(metric, path):
    """The trunk as torchvision would publish it, classifier and all."""
    state = {"classifier.1.weight": torch.zeros(2, 2)}
    for key, value in metric.net.state_dict().items():
        state["features." + key.split(".", 1)[1]] = value
    torch.save(state, path)
    return path


@pytest.mark.parametrize(("net", "size"), [("alex", 64), ("alex", 40), ("vgg", 32), ("squeeze", 64)])
def test_squared_distance_is_lpips(net, size, images, tmp_path):
    metric = reference(net)
    encoder = LPIPSRetrieval(
        net, image_size=size, checkpoint=torchvision_file(metric, tmp_path / "trunk.pth")
    )
    keys = encoder.encode(images).keys.astype(np.float64)
    squares = [Image.fromarray(i).resize((size, size), Image.Resampling.BICUBIC) for i in images]
    x = torch.from_numpy(np.stack([np.asarray(s) for s in squares])).permute(0, 3, 1, 2) / 127.5 - 1
    for i, j in itertools.combinations(range(len(images)), 2):
        with torch.no_grad():
            expected = metric(x[i : i + 1], x[j : j + 1]).item()
        assert expected > 0
        np.testing.assert_allclose(((keys[i] - keys[j]) ** 2).sum(), expected, rtol=1e-5)


@pytest.mark.parametrize(("net", "size"), KEY_DIMS)
def test_key_lengths_are_as_documented(net, size):
    encoder = LPIPSRetrieval(net, image_size=size, random_weights_seed=0)
    assert encoder.key_dim == KEY_DIMS[net, size]
    assert f"{encoder.key_dim:,}" in LPIPSRetrieval.__doc__
    assert encoder.encode([np.zeros((2, 3, 3), np.uint8)]).keys.shape == (1, encoder.key_dim)


def test_another_linear_checkpoint_changes_keys_and_fingerprint(images, tmp_path):
    layers = {
        k: v
        for k, v in reference("alex").state_dict().items()
        if k.startswith("lin") and not k.startswith("lins")
    }
    torch.save(layers, tmp_path / "same.pth")
    torch.save({k: 4 * v for k, v in layers.items()}, tmp_path / "four.pth")
    base = LPIPSRetrieval(image_size=32, random_weights_seed=0)
    same = LPIPSRetrieval(image_size=32, random_weights_seed=0, linear_checkpoint=tmp_path / "same.pth")
    four = LPIPSRetrieval(image_size=32, random_weights_seed=0, linear_checkpoint=tmp_path / "four.pth")
    assert same.fingerprint == base.fingerprint != four.fingerprint
    np.testing.assert_allclose(four.encode(images).keys, 2 * base.encode(images).keys, rtol=1e-6)


def test_negative_linear_weights_are_refused(tmp_path):
    layers = {
        f"lin{i}.model.1.weight": torch.ones(1, c, 1, 1) for i, c in enumerate((64, 192, 384, 256, 256))
    }
    layers["lin2.model.1.weight"][0, 7] = -1
    torch.save(layers, tmp_path / "bad.pth")
    with pytest.raises(ValueError, match="bad.pth: some weights are negative"):
        LPIPSRetrieval(random_weights_seed=0, linear_checkpoint=tmp_path / "bad.pth")


def test_weights_of_another_net_are_refused_with_counts(tmp_path):
    path = torchvision_file(reference("squeeze"), tmp_path / "squeeze.pth")
    with pytest.raises(
        ValueError, match=r"squeeze.pth: not weights of torchvision's alexnet: 8 keys missing"
    ):
        LPIPSRetrieval("alex", checkpoint=path)
    packaged = Path(lpips.__file__).parent / "weights" / "v0.1" / "vgg.pth"
    with pytest.raises(
        ValueError, match=r"not weights of LPIPS' linear layers for alex: 0 keys missing.*4 of another"
    ):
        LPIPSRetrieval("alex", random_weights_seed=0, linear_checkpoint=packaged)


@pytest.mark.parametrize(
    ("net", "name"),
    [
        ("alex", "alexnet-owt-7be5be79.pth"),
        ("vgg", "vgg16-397923af.pth"),
        ("squeeze", "squeezenet1_1-b8a52dc0.pth"),
    ],
)
def test_missing_trunk_names_the_download(net, name, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"https://download.pytorch.org/models/{name}"):
        LPIPSRetrieval(net)


def test_the_names_are_torchvisions():
    """The addresses in our messages are those that the installed torchvision would fetch."""
    import torchvision.models as models

    from procrop.networks.lpips import NETS

    weights = {
        "alex": models.AlexNet_Weights,
        "vgg": models.VGG16_Weights,
        "squeeze": models.SqueezeNet1_1_Weights,
    }
    for net, entry in weights.items():
        assert entry.IMAGENET1K_V1.url == f"https://download.pytorch.org/models/{NETS[net][1]}"


def test_torchvisions_download_is_found(images, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    path = torchvision_file(reference("alex"), cache / "alexnet-owt-7be5be79.pth")
    backbone = Config.fromfile(CONFIG).retrieval.backbone.to_dict()
    encoder = RETRIEVAL_BACKBONES.build(backbone)
    assert encoder.fingerprint == LPIPSRetrieval("alex", 64, checkpoint=path).fingerprint
    assert encoder.metric == "l2" and encoder.key_dim == 31872


def test_missing_package_is_named(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install lpips"):
        LPIPSRetrieval(random_weights_seed=0)

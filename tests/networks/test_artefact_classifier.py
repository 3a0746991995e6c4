"""The artefact classifier: outputs against torchvision, files of ours and of others, files that do not fit."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from procrop.networks.artefact_classifier import (
    ArtefactClassifier,
    classifier_pixels,
    read_artefact_classifier,
    to_batch,
    write_artefact_classifier,
)

PHOTOS = to_batch(np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8))


def _classifier(arch, seed=0):
    torch.manual_seed(seed)
    return ArtefactClassifier(arch).eval()


def test_a_resnet_of_ours_is_torchvisions_on_normalised_photos():
    from torchvision.models import resnet18
    from torchvision.transforms import v2

    model = _classifier("resnet18")
    other = resnet18(weights=None, num_classes=2).eval()
    other.load_state_dict(model.network.state_dict())
    prepare = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    with torch.no_grad():
        logits = other(prepare(PHOTOS))
        torch.testing.assert_close(model(PHOTOS), logits, rtol=1e-4, atol=1e-5)
        expected = logits[:, 1].exp() / logits.exp().sum(dim=1)
        torch.testing.assert_close(model.bad_probability(PHOTOS), expected, rtol=1e-4, atol=1e-5)


def test_photos_of_any_shape_become_squares_of_128():
    y, x = np.mgrid[0:90, 0:260]
    photo = np.stack([x // 2, y, x * 0], axis=2).astype(np.uint8)
    pixels = classifier_pixels(photo)
    assert pixels.shape == (128, 128, 3) and pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels[64, :, 0].astype(int), np.arange(128) * 130 / 128, atol=1.5)
    np.testing.assert_array_equal(classifier_pixels(pixels), pixels)
    assert to_batch([pixels, pixels]).shape == (2, 3, 128, 128)


@pytest.mark.parametrize("arch", ["tiny", "resnet18"])
def test_a_file_of_ours_says_what_it_is(tmp_path, arch):
    model = _classifier(arch)
    for name in ("a", "b"):
        write_artefact_classifier(tmp_path / f"{name}.safetensors", model, {"epochs": 3})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    read = read_artefact_classifier(tmp_path / "a.safetensors")
    assert read.arch == arch and read.training_record == {"epochs": 3} and not read.training
    with torch.no_grad():
        torch.testing.assert_close(read(PHOTOS), model(PHOTOS), rtol=0, atol=0)
    with pytest.raises(ValueError, match=f"is a {arch}, not a resnet50; leave arch out"):
        read_artefact_classifier(tmp_path / "a.safetensors", "resnet50")


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_a_file_of_others_is_taken_by_torchvisions_names(tmp_path, name):
    model = _classifier("resnet18")
    state = dict(model.network.state_dict())
    # older files lack the counters of batches
    state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    (save_file if name.endswith("safetensors") else torch.save)(state, tmp_path / name)
    read = read_artefact_classifier(tmp_path / name, "resnet18")
    with torch.no_grad():
        torch.testing.assert_close(read(PHOTOS), model(PHOTOS), rtol=0, atol=0)
    with pytest.raises(
        ValueError, match="not weights of a resnet50 with 2 classes: .* keys missing.*train one"
    ):
        read_artefact_classifier(tmp_path / name)


def test_the_default_is_the_resnet_50_of_the_paper(tmp_path):
    model = _classifier("resnet50")
    assert sum(p.numel() for p in model.parameters()) == 23_512_130  # of torchvision's, with two outputs
    torch.save({"state_dict": model.network.state_dict()}, tmp_path / "model.pt")
    assert read_artefact_classifier(tmp_path / "model.pt").arch == "resnet50"


def test_imagenet_weights_fill_all_but_the_last_layer(tmp_path):
    from torchvision.models import resnet18

    torch.manual_seed(5)
    other = resnet18(weights=None)
    torch.save(other.state_dict(), tmp_path / "imagenet.pth")
    model = _classifier("resnet18")
    last = model.network.fc.weight.clone()
    model.load_backbone(tmp_path / "imagenet.pth")
    torch.testing.assert_close(model.network.fc.weight, last, rtol=0, atol=0)
    torch.testing.assert_close(
        model.network.layer4[1].conv2.weight, other.layer4[1].conv2.weight, rtol=0, atol=0
    )
    with pytest.raises(ValueError, match="not weights of a resnet50.*name torchvision's or timm's resnet50"):
        ArtefactClassifier("resnet50").load_backbone(tmp_path / "imagenet.pth")
    with pytest.raises(ValueError, match="tiny.* has no ImageNet weights"):
        ArtefactClassifier("tiny").load_backbone(tmp_path / "imagenet.pth")


def test_files_that_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pt: no such weight file"):
        read_artefact_classifier(tmp_path / "none.pt")
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(ValueError, match="text.safetensors: cannot be read as weights"):
        read_artefact_classifier(tmp_path / "text.safetensors")
    state = _classifier("tiny").network.state_dict()
    for name, header, message in (
        ("kind", '{"kind": "distilled keys", "version": 1}', "holds 'distilled keys' of version 1, not"),
        (
            "version",
            '{"kind": "artefact classifier", "version": 9}',
            "of version 9, not .* of version 1; train",
        ),
        (
            "classes",
            '{"kind": "artefact classifier", "version": 1, "arch": "tiny", "classes": ["bad", "good"]}',
            "its outputs are .'bad', 'good'., not",
        ),
        ("damaged", "{", "its description is damaged"),
        ("number", "3", "its description is damaged"),
        (
            "arch",
            '{"kind": "artefact classifier", "version": 1, "arch": "vgg", "classes": ["good", "bad"]}',
            "arch must be one of",
        ),
    ):
        path = tmp_path / f"{name}.safetensors"
        save_file(state, path, metadata={"procrop": header})
        with pytest.raises(ValueError, match=message):
            read_artefact_classifier(path)

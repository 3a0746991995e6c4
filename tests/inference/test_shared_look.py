"""One look at a photo for cropper and gallery: the same references as with two, and two where one would not do."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gallery_photos import write_gallery_photos
from mmengine.config import Config
from PIL import Image

from procrop.inference import CropInferencer
from procrop.networks import EfficientNetLite
from procrop.networks.subject_evidence import look_fingerprint
from procrop.retrieval import GalleryItem, KeySpace, build_gallery

sys.path.append(str(Path(__file__).parents[1] / "retrieval"))

from test_distilled_keys import write_student  # noqa: E402

CONFIG = Path(__file__).resolve().parents[2] / "configs/procrop_lite.py"
SIDE = 128


def photo(seed, size):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))


PHOTOS = [photo(0, (300, 200)), photo(1, (97, 211)), photo(2, (64, 48)), photo(3, (1024, 30))]


@pytest.fixture(scope="module")
def look_gallery(tmp_path_factory):
    root = tmp_path_factory.mktemp("look")
    items = [GalleryItem(path, source_id=path.name) for path in write_gallery_photos(root / "photos")]
    retrieval = Config.fromfile(CONFIG).retrieval.to_dict()
    retrieval["backbone"]["image_size"] = SIDE
    return build_gallery(root / "index", items, retrieval, root / "photos")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, untrained, look_gallery):
    """Procrop-lite with random weights but for its backbone."""
    folder = tmp_path_factory.mktemp("model")
    cfg = Config.fromfile(CONFIG)
    resize_step(cfg).scale = (SIDE, SIDE)
    cfg.dump(folder / "config.py")
    return untrained(folder / "config.py", look_gallery, folder / "model.pth")


def resize_step(cfg):
    (step,) = (step for step in cfg.test_dataloader.dataset.pipeline if step.type == "Resize")
    return step


@pytest.fixture
def write(tmp_path, checkpoint):
    """A function (other options of Resize and of the preprocessor, change of the weights) that writes a variant."""

    def write(resize=None, preprocessor=None, change=None):
        saved = torch.load(checkpoint)
        cfg = Config.fromstring(saved["meta"]["procrop"]["config"], ".py")
        resize_step(cfg).update(resize or {})
        cfg.model.data_preprocessor.update(preprocessor or {})
        saved["meta"]["procrop"]["config"] = saved["meta"]["cfg"] = cfg.pretty_text
        if change is not None:
            saved["state_dict"] = {name: change(name, value) for name, value in saved["state_dict"].items()}
        torch.save(saved, tmp_path / "model.pth")
        return tmp_path / "model.pth"

    return write


def half(name, value):
    """As a published file keeps weights."""
    return value.half().float() if value.ndim > 1 else value


def opened(checkpoint, gallery, **options):
    """The cropper, and the list to which each photo's size is added that its gallery's encoder looks at."""
    cropper, looked_at = CropInferencer(checkpoint, gallery.folder, "cpu", k=4, **options), []
    encoder = cropper.references.gallery.query_encoder
    whole = encoder.encode
    encoder.encode = lambda images: looked_at.extend(image.shape for image in images) or whole(images)
    return cropper, looked_at


def found(cropper, image):
    references = cropper.crop(image).references
    return [ref.id for ref in references], np.array([ref.score for ref in references])


def expected(gallery, image):
    ids, scores = gallery.search([image], 4)
    return ids[0].tolist(), scores[0]


def test_the_look_of_the_cropper_finds_what_the_encoder_finds(checkpoint, look_gallery):
    cropper, looked_at = opened(checkpoint, look_gallery)
    for image in PHOTOS:
        ids, scores = found(cropper, image)
        wanted, similar = expected(look_gallery, image)
        assert ids == wanted
        np.testing.assert_allclose(scores, similar, atol=1e-4)
    assert looked_at == []


def test_keys_and_tokens_are_those_of_the_encoder(checkpoint, look_gallery):
    cropper, _ = opened(checkpoint, look_gallery)
    for image in PHOTOS:
        ours, theirs = cropper.embed(image).query.embeddings, look_gallery.backbone().encode([image])
        np.testing.assert_allclose(ours.keys, theirs.keys, atol=1e-4)
        np.testing.assert_allclose(ours.tokens.astype(float), theirs.tokens.astype(float), atol=2e-3)
        assert (ours.keys.dtype, ours.tokens.dtype) == (theirs.keys.dtype, theirs.tokens.dtype)


def test_weights_of_half_precision_look_nearly_alike(write, look_gallery):
    cropper, looked_at = opened(write(change=half), look_gallery)
    for image in PHOTOS:
        keys = cropper.embed(image).query.embeddings.keys
        differences = look_gallery.search_keys(keys, 12), look_gallery.search([image], 12)
        ours, theirs = (dict(zip(ids[0].tolist(), scores[0], strict=True)) for ids, scores in differences)
        assert max(abs(ours[i] - theirs[i]) for i in theirs) < 1e-2
    assert looked_at == []


def other_weights(name, value):
    return value * 1.01 if name == "backbone.net.stem.conv.weight" else value


@pytest.mark.parametrize(
    "options",
    [
        dict(resize=dict(scale=(96, 96))),
        dict(resize=dict(backend="cv2")),
        dict(resize=dict(interpolation="bicubic")),
        dict(resize=dict(size_divisor=1)),
        dict(preprocessor=dict(mean=[120.0] * 3)),
        dict(preprocessor=dict(pad_size_divisor=64)),
        dict(change=other_weights),
    ],
    ids=["size", "backend", "interpolation", "sides", "colours", "padding", "weights"],
)
def test_what_is_not_the_same_is_looked_at_twice(write, look_gallery, options):
    cropper, looked_at = opened(write(**options), look_gallery)
    ids, scores = found(cropper, PHOTOS[0])
    assert looked_at == [PHOTOS[0].shape]
    wanted, similar = expected(look_gallery, PHOTOS[0])
    assert ids == wanted
    np.testing.assert_array_equal(scores, similar)


def test_a_distilled_encoder_looks_itself(checkpoint, look_gallery, tmp_path):
    student = write_student(tmp_path / "student.safetensors", KeySpace.of_gallery(look_gallery))
    cropper, looked_at = opened(checkpoint, look_gallery, query_encoder=student)
    assert len(found(cropper, PHOTOS[0])[0]) == 4
    assert looked_at == [PHOTOS[0].shape]


def test_another_backbone_keeps_nothing_to_look_at(untrained, gallery, tmp_path):
    config = CONFIG.with_name("procrop_toy.py")
    cropper, looked_at = opened(untrained(config, gallery, tmp_path / "model.pth"), gallery)
    assert cropper.embed(PHOTOS[0]).features.look is None
    assert looked_at == [PHOTOS[0].shape]


def test_another_gallery_of_the_same_encoder_is_searched_with_the_same_look(checkpoint, look_gallery):
    cropper, looked_at = opened(checkpoint, look_gallery)
    cropper.use_gallery(look_gallery.folder)
    assert found(cropper, PHOTOS[0])[0] == expected(look_gallery, PHOTOS[0])[0]
    assert looked_at == []


def test_a_photo_whose_sides_are_rounded_differently_is_looked_at_again(
    checkpoint, look_gallery, monkeypatch
):
    cropper, looked_at = opened(checkpoint, look_gallery)
    encoder = cropper.references.gallery.query_encoder
    monkeypatch.setattr(encoder, "prepared_size", lambda shape: (32, 32))
    found(cropper, PHOTOS[0])
    assert looked_at == [PHOTOS[0].shape]


def test_a_fingerprint_tells_weights_apart_but_not_their_precision():
    torch.manual_seed(0)
    network = EfficientNetLite("lite0", (16,))
    first = look_fingerprint(network)
    network.stem.bn.num_batches_tracked += 1
    assert look_fingerprint(network.half().float()) == first
    network.classifier.bias.data[0] += 1
    assert look_fingerprint(network) != first
    assert look_fingerprint(EfficientNetLite("lite1", (16,))) != first
    with pytest.raises(ValueError, match="ask before fold_batch_norm"):
        look_fingerprint(network.fold_batch_norm())

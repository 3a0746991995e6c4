"""The distilled encoder, its file, and a gallery that is searched with it."""

import json
import pickle

import numpy as np
import pytest
import torch
from distilled_gallery import RETRIEVAL, GuardedTeacher, TeacherBuilt, make_gallery

from procrop.io.photo import read_photo
from procrop.networks.key_student import KeyStudent
from procrop.retrieval import (
    DistilledKeyFileError,
    Gallery,
    GalleryError,
    KeySpace,
    NeighbourTable,
)
from procrop.retrieval.backbones import DistilledKeyRetrieval, distilled_keys
from procrop.retrieval.distilled_key_file import DistilledKeys, read_distilled_keys, write_distilled_keys

NETWORK = dict(key_dim=12, variant="lite0", grid=2, hidden=8, unit=True)


def write_student(path, space, **changes):
    """A student with random weights."""
    network = {**NETWORK, "key_dim": space.key_dim}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student = KeyStudent(**network)
    fields = dict(network=network, image_size=64, preprocessing=1, space=space, training={"seed": 0})
    write_distilled_keys(path, DistilledKeys(**{**fields, **changes}, state=student.state_dict()))
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("students")
    make_gallery(root, 16)
    return root


@pytest.fixture
def gallery(root):
    return Gallery.open(root / "gallery")


@pytest.fixture(scope="module")
def student(root):
    return write_student(root / "student.safetensors", KeySpace.of_gallery(Gallery.open(root / "gallery")))


@pytest.fixture
def forbidden(monkeypatch):
    monkeypatch.setattr(GuardedTeacher, "forbidden", True)


def images(gallery, *ids):
    return [read_photo(gallery.photo_path(i)) for i in ids]


def test_keys_only_of_unit_length_alone_and_in_company(student, gallery):
    encoder = DistilledKeyRetrieval(student)
    assert (encoder.key_dim, encoder.token_shape, encoder.metric) == (12, None, "cosine")
    photos = [*images(gallery, 0, 1), np.full((40, 90, 3), 7, np.uint8), np.zeros((1, 1, 3), np.uint8)]
    together = encoder.encode(photos)
    assert together.tokens is None and together.keys.shape == (4, 12) and together.keys.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together.keys, axis=1), 1, rtol=1e-5)
    for i, photo in enumerate(photos):
        alone = encoder.encode([encoder.prepare(photo)]).keys[0]
        np.testing.assert_allclose(alone, together.keys[i], atol=1e-5)
    assert encoder.encode([]).keys.shape == (0, 12)


def test_folding_leaves_the_keys(student, gallery):
    """The encoder against the network as the file has it, batch norms and all."""
    from procrop.networks.efficientnet_lite import normalise

    network = KeyStudent(**NETWORK).eval()
    network.load_state_dict(read_distilled_keys(student).state)
    encoder = DistilledKeyRetrieval(student)
    photo = encoder.prepare(images(gallery, 2)[0]).copy()
    with torch.inference_mode():
        expected = network(normalise(torch.from_numpy(photo).permute(2, 0, 1)[None]))
    np.testing.assert_allclose(encoder.encode([photo]).keys, expected.numpy(), atol=1e-5)


def test_features_say_where_things_are():
    """A mirrored photo has mirrored grids: block by block, the same values at mirrored places."""
    torch.manual_seed(0)
    student = KeyStudent(4, grid=4).eval()
    assert student.widths == (640, 1792, 1280, 1280)
    photo = torch.rand(1, 3, 64, 96)
    features = student.features(photo)[0]
    grids = features[: student.widths[0]].reshape(40, 4, 4)
    (stride8, *_), _ = student.trunk.forward_with_head(photo)
    np.testing.assert_allclose(
        grids[:, 1, 3].detach(), stride8[0, :, 2:4, 9:12].mean((1, 2)).detach(), rtol=1e-4, atol=1e-6
    )


def test_fingerprint_follows_the_weights(student, root):
    space = KeySpace.of_gallery(Gallery.open(root / "gallery"))
    base = DistilledKeyRetrieval(student)
    assert DistilledKeyRetrieval(student, batch_size=1).fingerprint == base.fingerprint
    assert (
        DistilledKeyRetrieval(write_student(root / "again.safetensors", space)).fingerprint
        == base.fingerprint
    )
    larger = write_student(root / "larger.safetensors", space, image_size=96)
    assert DistilledKeyRetrieval(larger).fingerprint != base.fingerprint


def test_equal_content_gives_equal_bytes(student, root):
    space = KeySpace.of_gallery(Gallery.open(root / "gallery"))
    assert write_student(root / "same.safetensors", space).read_bytes() == student.read_bytes()


def test_a_query_encoder_replaces_the_teacher(gallery, student, forbidden):
    encoder = DistilledKeyRetrieval(student)
    photos = images(gallery, 3, 4)
    with pytest.raises(TeacherBuilt):
        gallery.search(photos, 3)
    assert gallery.use_query_encoder(student) is gallery
    np.testing.assert_array_equal(gallery.query_keys(photos), encoder.encode(photos).keys)
    ids, scores = gallery.search(photos, 5, exclude=[["p003"], [1]])
    assert ids.shape == (2, 5) and 3 not in ids[0] and 1 not in ids[1]
    # independent of the index: cosine of the student's keys and the gallery's raw keys
    raw = np.stack([p[::8, ::10].reshape(12) / 255 for p in images(gallery, *range(16))])
    raw /= np.linalg.norm(raw, axis=1, keepdims=True)
    expected = encoder.encode(photos[:1]).keys[0] @ raw.T
    expected[3] = -np.inf
    np.testing.assert_array_equal(ids[0], np.argsort(-expected)[:5])
    np.testing.assert_allclose(scores[0], np.sort(expected)[::-1][:5], atol=1e-5)
    assert gallery.use_query_encoder(encoder).query_encoder is encoder


def test_tables_of_neighbours_are_made_with_it(gallery, student, root, forbidden):
    gallery.use_query_encoder(student)
    queries = [("q0", "elsewhere", gallery.photo_path(0)), ("q1", "p001", gallery.photo_path(2))]
    table = NeighbourTable.build(queries, gallery, 4)
    table.save(root / "near.npz")
    again = NeighbourTable.open(root / "near.npz", Gallery.open(gallery.folder))
    assert 0 not in again.lookup("q0", 4)[0] and not {1, 2} & set(again.lookup("q1", 4)[0])
    np.testing.assert_array_equal(
        again.lookup("q0", 4)[0], gallery.search(images(gallery, 0), 4, exclude=[0])[0][0]
    )


def test_it_goes_along_into_a_worker(gallery, student, forbidden):
    expected = gallery.use_query_encoder(student).query_keys(images(gallery, 5))
    data = pickle.dumps(gallery)
    assert len(data) < 2000
    np.testing.assert_array_equal(pickle.loads(data).query_keys(images(gallery, 5)), expected)


REMEDY = "python tools/distill_keys.py .*gallery --out "


def test_a_student_of_another_gallery_is_refused_by_name(gallery, root, tmp_path):
    salted = make_gallery(
        tmp_path / "a", 12, retrieval={**RETRIEVAL, "backbone": dict(type="GuardedTeacher", salt=1)}
    )
    other = write_student(tmp_path / "other.safetensors", KeySpace.of_gallery(salted))
    with pytest.raises(
        GalleryError, match=f"other.safetensors: distilled from another encoder.*{REMEDY}.*other"
    ):
        gallery.use_query_encoder(other)
    with pytest.raises(GalleryError, match="GuardedTeacher: does not say whose keys"):
        gallery.use_query_encoder(GuardedTeacher())
    # refused, so nothing has changed
    np.testing.assert_allclose(gallery.search(images(gallery, 3), 1)[1], 1, atol=1e-6)


def test_a_transform_that_learned_something_else_is_refused(tmp_path):
    retrieval = {**RETRIEVAL, "key_transform": [dict(type="PCA", dim=5), dict(type="Normalise")]}
    one, two = (make_gallery(tmp_path / str(s), 12, seed=s, retrieval=retrieval) for s in (0, 1))
    assert one.fingerprint == two.fingerprint
    path = write_student(tmp_path / "one.safetensors", KeySpace.of_gallery(one))
    assert one.use_query_encoder(path).query_keys(images(one, 0)).shape == (1, 5)
    with pytest.raises(GalleryError, match=f"one.safetensors: .*learned something else.*{REMEDY}"):
        two.use_query_encoder(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(key_dim=7), "keys of length 7, the gallery's have 12"),
        (dict(metric="l2"), "for the metric 'l2'"),
    ],
)
def test_another_length_or_metric_is_refused(gallery, tmp_path, change, message):
    from dataclasses import replace

    path = write_student(tmp_path / "x.safetensors", replace(KeySpace.of_gallery(gallery), **change))
    with pytest.raises(GalleryError, match=message):
        gallery.use_query_encoder(path)


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage", ["flip", "cut", "empty", "text", "gone", "foreign", "version", "preprocessing"]
)
def test_a_damaged_file_is_refused_with_the_remedy(gallery, student, tmp_path, damage):
    from safetensors.torch import save_file

    path = tmp_path / "d.safetensors"
    path.write_bytes(student.read_bytes())
    if damage == "flip":
        flip(path, -1000)
    elif damage == "gone":
        path.unlink()
    elif damage == "foreign":
        save_file({"a": torch.zeros(2)}, path)
    elif damage == "version":
        header = {"kind": "distilled keys", "version": 99}
        save_file({"a": torch.zeros(2)}, path, metadata={"procrop": json.dumps(header)})
    elif damage == "preprocessing":
        write_student(
            path, KeySpace.of_gallery(gallery), preprocessing=distilled_keys.PREPROCESSING_VERSION + 1
        )
    else:
        path.write_bytes(
            {"cut": path.read_bytes()[:5000], "empty": b"", "text": b"hello, photo" * 50}[damage]
        )
    with pytest.raises(GalleryError, match=r"d\.safetensors: .*python tools/distill_keys\.py"):
        gallery.use_query_encoder(path)
    with pytest.raises(DistilledKeyFileError):
        DistilledKeyRetrieval(path)


def test_grid_keys_are_the_tokens():
    from procrop.retrieval.backbones import EfficientNetLiteRetrieval

    encoder = EfficientNetLiteRetrieval(key="grid", token_grid=(2, 3), image_size=64)
    found = encoder.encode([np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)])
    assert encoder.key_dim == 6 * 112 == found.keys.shape[1]
    np.testing.assert_allclose(
        found.keys.reshape(6, 112), found.tokens[0].astype(np.float32), atol=4e-3, rtol=2e-3
    )

"""Cropping with references that a distilled encoder finds; the gallery's own encoder is never built."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_cropper import write_checkpoint

from procrop.io.photo import read_photo

sys.path.append(str(Path(__file__).parents[1] / "retrieval"))

from distilled_gallery import GuardedTeacher, TeacherBuilt, make_gallery  # noqa: E402
from test_distilled_keys import write_student  # noqa: E402

from procrop.apis.cli import tool_main  # noqa: E402
from procrop.apis.cropping import command as crop_command  # noqa: E402
from procrop.inference import CropInferencer  # noqa: E402
from procrop.retrieval import Gallery, GalleryError, KeySpace  # noqa: E402


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return make_gallery(tmp_path_factory.mktemp("g"), 16)


@pytest.fixture(scope="module")
def student(gallery):
    return write_student(gallery.folder.parent / "student.safetensors", KeySpace.of_gallery(gallery))


@pytest.fixture
def checkpoint(tmp_path, gallery):
    references = dict(type="LoadReferences", gallery=str(gallery.folder), table="gone.npz", k=4, what="image")
    retrieval = dict(fingerprint=gallery.fingerprint, token_shape=gallery.token_shape)
    return write_checkpoint(tmp_path, references=references, retrieval=retrieval)


def test_references_are_what_the_student_finds(checkpoint, gallery, student, monkeypatch):
    monkeypatch.setattr(GuardedTeacher, "forbidden", True)
    with pytest.raises(TeacherBuilt):
        CropInferencer(checkpoint, device="cpu")
    cropper = CropInferencer(checkpoint, device="cpu", query_encoder=student)
    path = gallery.photo_path(5)
    (result,) = cropper(path, top_k=2)
    small = Gallery.open(gallery.folder).use_query_encoder(student)
    ids, scores = small.search([read_photo(path)], 4, exclude=[5])
    assert [ref.id for ref in result.references] == ids[0].tolist()
    np.testing.assert_allclose([ref.score for ref in result.references], scores[0])
    # the model sees the teacher's tokens, which lie in the gallery
    seen = cropper.model.seen[0][0].references
    np.testing.assert_array_equal(seen.tokens.numpy(), gallery.tokens(ids[0]))


def test_the_command_takes_it(checkpoint, gallery, student, tmp_path, monkeypatch):
    monkeypatch.setattr(GuardedTeacher, "forbidden", True)
    photo = str(gallery.photo_path(2))
    common = [photo, "--checkpoint", str(checkpoint), "--device", "cpu", "--top-k", "1"]
    out = tmp_path / "crops"
    assert tool_main(crop_command, [*common, "--out", str(out), "--query-encoder", str(student)]) == 0
    assert '"references": [{' in (out / "crops.jsonl").read_text()


def test_what_does_not_fit_is_refused_before_any_photo(checkpoint, tmp_path, student):
    with pytest.raises(GalleryError, match="nowhere.safetensors: no such file"):
        CropInferencer(checkpoint, device="cpu", query_encoder=tmp_path / "nowhere.safetensors")
    (tmp_path / "plain").mkdir()
    plain = write_checkpoint(tmp_path / "plain")
    with pytest.raises(ValueError, match="without references; leave the query encoder out"):
        CropInferencer(plain, device="cpu", query_encoder=student)

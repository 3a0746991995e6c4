"""ReferencedTeacher: what references change, and whose they are."""

import numpy as np
import pytest
import torch
from PIL import Image

from procrop.generation.curation.composition_match import composition_layout, composition_match
from procrop.generation.curation.consensus_crops import consensus_crops, usable_windows, window_lattice
from procrop.models.teachers import EvidenceTeacher, ReferencedTeacher
from procrop.networks import EfficientNetLite, normalise
from procrop.networks.subject_evidence import subject_evidence
from procrop.registry import MODELS
from procrop.retrieval.gallery_builder import build_gallery
from procrop.retrieval.sources import FolderSource

ENCODER = dict(type="SubjectEvidenceRetrieval", image_size=128)
WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])


def ball(x, seed):
    """A bright ball on grey at x: (120, 160, 3) uint8."""
    rows, columns = np.mgrid[:120, :160]
    there = ((columns - x) ** 2 + (rows - 60) ** 2 < 25**2)[..., None]
    noise = np.random.default_rng(seed).integers(0, 30, (120, 160, 3))
    return (np.where(there, [200, 90, 30], [90, 100, 110]) + noise).astype(np.uint8)


def build(folder, photos, encoder):
    build_gallery(folder, FolderSource(str(photos)).items(), dict(backbone=encoder), photos)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    root = tmp_path_factory.mktemp("referenced")
    (root / "photos").mkdir()
    for n, x in enumerate((40, 60, 80, 100, 120)):
        Image.fromarray(ball(x, n)).save(root / "photos" / f"{n}.png")
    build(root / "gallery", root / "photos", ENCODER)
    return root / "gallery"


@pytest.fixture(scope="module")
def teacher(gallery):
    return MODELS.build(dict(type="ReferencedTeacher", gallery=str(gallery), references=2, sides=[128]))


def test_crops_are_those_of_merit_and_match(teacher):
    photo = ball(55, 9)
    ids, _ = teacher.gallery.search([photo], 2)
    subject, (windows, _) = teacher.subject_map(photo), window_lattice()
    merits = teacher.merit(subject, windows)
    merits += composition_match(composition_layout(subject, windows), teacher.reference_layouts(ids[0]))
    wanted = consensus_crops(merits, usable_windows((160, 120)), 4, 0.05)
    np.testing.assert_array_equal(teacher(photo).boxes, wanted.boxes)


def test_layouts_of_references_are_those_of_their_own_maps(teacher):
    network = EfficientNetLite("lite0", out_strides=(16,)).load_pretrained().eval()
    for row in (0, 3):
        photo = np.asarray(Image.open(teacher.gallery.photo_path(row)))
        small = np.array(Image.fromarray(photo).resize((128, 96), Image.Resampling.BILINEAR))
        with torch.no_grad():
            maps, _ = subject_evidence(network, normalise(torch.from_numpy(small).permute(2, 0, 1)[None]))
        fine = torch.nn.functional.adaptive_avg_pool2d(maps, 8)[0].mean(dim=0).numpy()
        np.testing.assert_allclose(
            teacher.reference_layouts(np.array([row])), composition_layout(fine, WHOLE), atol=5e-3
        )


def test_a_photos_own_source_is_no_reference(teacher, monkeypatch):
    photo = np.asarray(Image.open(teacher.gallery.photo_path(1)))
    asked = []
    monkeypatch.setattr(
        teacher,
        "reference_layouts",
        lambda ids: asked.append(set(ids.tolist())) or np.ones((len(ids), 36)) / 6,
    )
    teacher(photo)
    teacher(photo, teacher.gallery.source_ids[1])
    assert 1 in asked[0] and 1 not in asked[1]


def test_without_weight_it_is_the_evidence_teacher(gallery):
    blind = EvidenceTeacher(sides=[128])
    photo = ball(100, 7)
    off = ReferencedTeacher(str(gallery), match=0.0, sides=[128])
    np.testing.assert_array_equal(off(photo).boxes, blind(photo).boxes)
    assert off.fingerprint != blind.fingerprint


def test_another_encoders_gallery_is_refused(tmp_path, gallery):
    other = tmp_path / "gallery"
    build(other, gallery.parent / "photos", dict(type="EfficientNetLiteRetrieval", image_size=64))
    with pytest.raises(ValueError, match="EfficientNetLiteRetrieval.*subject_evidence.py"):
        ReferencedTeacher(str(other))


def test_numbers_out_of_range(gallery):
    with pytest.raises(ValueError, match="at least 1 reference"):
        ReferencedTeacher(str(gallery), references=0)

"""A checkpoint and its gallery become the folder that ships: readable, small, the same bytes, and of no machine."""

import os
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from published_model import NAME, bytes_of

from procrop.apis.publishing import publish_model
from procrop.engine.checkpoint import load_checkpoint_file
from procrop.inference import CropInferencer
from procrop.retrieval import Gallery
from procrop.retrieval.own_photos import own_photo_ids


def test_weights_come_back_in_the_precision_they_were_stored_in(folder, trained):
    stored = load_checkpoint_file(folder / f"{NAME}.safetensors")["state_dict"]
    original = torch.load(trained.checkpoint, weights_only=True)["state_dict"]
    assert stored.keys() == original.keys() and len(stored) > 100
    for name, tensor in original.items():
        assert stored[name].dtype == tensor.dtype, name
        expected = tensor.half().float() if tensor.is_floating_point() and tensor.ndim > 1 else tensor
        assert torch.equal(stored[name], expected), name


def test_it_crops_as_the_checkpoint_does_wherever_it_lies(folder, trained, tmp_path, monkeypatch):
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    photo = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    results = [
        CropInferencer(moved / f"{NAME}.safetensors", device="cpu").crop(photo),
        CropInferencer(trained.checkpoint, trained.gallery, device="cpu").crop(photo),
    ]
    np.testing.assert_allclose(results[0].boxes, results[1].boxes, atol=1.0)  # pixels
    np.testing.assert_allclose(results[0].scores, results[1].scores, atol=2e-3)
    names = [[reference.name for reference in result.references] for result in results]
    assert names[0] == names[1] and len(names[0]) == 3
    reference = results[0].references[0]
    assert Path(reference.path).is_file() and Path(reference.path).is_relative_to(moved)
    assert reference.title.startswith("Title") and reference.licence.startswith("CC")
    assert results[1].references[0].credit == ""


def test_the_metadata_tells_what_a_training_tells_but_for_the_machine(folder, trained):
    own = load_checkpoint_file(folder / f"{NAME}.safetensors")["meta"]["procrop"]
    before = load_checkpoint_file(trained.checkpoint)["meta"]["procrop"]
    assert own["retrieval"]["fingerprint"] == before["retrieval"]["fingerprint"]
    assert tuple(own["retrieval"]["token_shape"]) == (16, 64) and own["gallery"] == "gallery"
    assert str(trained.photos.parent) in before["config"]
    assert "work_dir" not in own["config"] and "load_from" not in own["config"]


def test_nothing_in_it_names_a_place_of_the_machine(folder, trained):
    places = [b"/tmp", b"/work", b"/home", os.fsencode(trained.photos.parent), os.fsencode(Path.home())]
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [place for place in places if place in content and place != b"/"], path


def test_equal_input_gives_equal_bytes(folder, trained, tmp_path, quick):
    publish_model(trained.checkpoint, trained.gallery, NAME, tmp_path / "again", trained.photos)
    assert bytes_of(tmp_path / "again") == bytes_of(folder)


def test_every_photo_has_a_thumbnail_and_a_credit(folder, trained):
    gallery = Gallery.open(folder / "gallery", verify=True)
    assert len(gallery) == 6 and gallery.names == Gallery.open(trained.gallery).names
    page = (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for row, name in enumerate(gallery.names):
        with Image.open(gallery.photo_path(row)) as image:
            assert image.format == "JPEG" and image.size == (320, 240) and not image.getexif()
        credit = gallery.credit(row)
        number = int(name.rpartition(" ")[2].partition(".")[0])
        assert credit.author == ("author not stated" if number == 2 else f"Zoë {number}")
        assert (credit.title, credit.licence) == (f"Title {number}", ("CC-BY-SA-3.0", "CC0-1.0")[number % 2])
        assert f"| `{name}` | Title {number} | {credit.author} | {credit.licence} | some/photos: all/" in page
    assert "https://creativecommons.org/licenses/by-sa/3.0/ | 3 |" in page
    assert {path.name for path in folder.iterdir()} == {f"{NAME}.safetensors", "gallery", "ATTRIBUTION.md"}


def test_a_photo_is_known_by_its_bytes_and_a_thumbnail_by_its_place(folder, trained):
    gallery = Gallery.open(folder / "gallery")
    for row, name in enumerate(gallery.names):
        assert own_photo_ids(gallery, trained.photos / name).tolist() == [row]
        assert own_photo_ids(gallery, gallery.photo_path(row)).tolist() == [row]


def test_a_changed_thumbnail_is_found(folder, tmp_path):
    gallery = Gallery.open(shutil.copytree(folder / "gallery", tmp_path / "gallery"))
    assert gallery.verify() == []
    with open(gallery.photo_path(0), "ab") as file:
        file.write(b"x")
    (problem,) = gallery.verify()
    assert str(gallery.photo_path(0)) in problem

"""The model that is taken where none is named: found in the package, sound, and with references of known authors."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from published_model import NAME
from tiny_cropper import write_checkpoint

from procrop import crop
from procrop.apis.cli import main
from procrop.inference import find_model, one_call
from procrop.model_zoo import ModelZooError, locations, metafile, resolve_gallery
from procrop.model_zoo.locations import local_file


@pytest.fixture
def photo(tmp_path):
    coarse = Image.fromarray(np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8))
    coarse.resize((320, 240), Image.Resampling.BICUBIC).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def damaged(lite, tmp_path, monkeypatch):
    """The weights' file in a copy of the zoo, with one byte of it changed."""
    root = tmp_path / "zoo"
    shutil.copytree(local_file(lite.weights).parent, root / "weights" / NAME)
    monkeypatch.setattr(locations, "PACKAGE_ROOT", root)
    path = root / "weights" / NAME / f"{NAME}.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    return path


def test_crop_needs_no_model_to_be_named(lite, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one_call._opened.cache_clear()
    assert find_model() == (local_file(lite.weights), local_file(lite.gallery))
    result = crop(photo, ratio="1:1", device="cpu")
    assert len(result.boxes) >= 1 and result.references
    for reference in result.references:
        assert reference.title and reference.author and reference.licence.startswith("CC")
        assert reference.credit == f"{reference.title}, {reference.author}, {reference.licence}"


def test_the_environment_and_an_argument_win(lite, tmp_path, monkeypatch):
    own = write_checkpoint(tmp_path)
    monkeypatch.setenv("PROCROP_CHECKPOINT", str(own))
    assert find_model() == (own, None)
    assert find_model(NAME)[0] == local_file(lite.weights)
    monkeypatch.setenv("PROCROP_CHECKPOINT", NAME)
    assert find_model(own) == (own, None) and find_model()[0] == local_file(lite.weights)


def test_the_commands_output_says_whose_the_references_are(lite, photo, tmp_path):
    out = tmp_path / "out"
    assert main(["crop", str(photo), "--out", str(out), "--explain", "--device", "cpu"]) == 0
    (line,) = map(json.loads, (out / "crops.jsonl").read_text().splitlines())
    said = (out / "explained.html").read_text(encoding="utf-8")
    assert len(line["references"]) >= 3 and (out / "sheet.png").is_file()
    for reference in line["references"]:
        assert reference["licence"].startswith("CC") and reference["author"]
        assert f"{reference['author']}, {reference['licence']}" in said


def test_a_gallery_is_built_for_it(lite, photo, tmp_path):
    from procrop.retrieval import Gallery

    (tmp_path / "photos").mkdir()
    shutil.copy(photo, tmp_path / "photos" / "a.png")
    out = tmp_path / "gallery"
    assert main(["gallery", "build", str(out), "--photos", str(tmp_path / "photos")]) == 0
    theirs = Gallery.open(local_file(lite.gallery))
    assert Gallery.open(out, expect_fingerprint=theirs.fingerprint).token_shape == theirs.token_shape
    assert Gallery.open(out).credit(0).licence is None
    assert (
        main(["gallery", "build", f"{out}2", "--photos", str(photo.parent), "--retrieval", NAME, "--dry-run"])
        == 0
    )


def test_it_is_what_is_exported(lite, tmp_path, monkeypatch):
    import procrop.export

    asked = []

    def stop(checkpoint, *rest):
        asked.append(checkpoint)
        raise ValueError("enough seen")

    monkeypatch.setattr(procrop.export, "export_cropper", stop)
    assert main(["export", "--out", str(tmp_path / "exported")]) == 2
    assert asked == [local_file(lite.weights)]


@pytest.mark.slow
def test_its_export_knows_its_gallery(lite, tmp_path):
    from procrop.export import OnnxCropper

    assert main(["export", "--out", str(tmp_path / "exported")]) == 0
    cropper = OnnxCropper(tmp_path / "exported")
    assert cropper.references.gallery.folder == local_file(lite.gallery).resolve()


@pytest.mark.parametrize("words", [("crop", "PHOTO", "--out", "OUT"), ("demo",), ("export", "--out", "OUT")])
def test_damaged_weights_are_told_from_good_ones(damaged, photo, tmp_path, capsys, words):
    places = {"PHOTO": str(photo), "OUT": str(tmp_path / "out")}
    assert main([places.get(word, word) for word in words]) == 2
    said = capsys.readouterr().err
    assert (
        f"{damaged}: its SHA-256 is" in said and "install or copy it again" in said and said.count("\n") == 1
    )
    assert not (tmp_path / "out").exists()


def test_a_changed_gallery_is_told(damaged):
    manifest = damaged.parent / "gallery" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"kind": "gallery"', '"kind":  "gallery"'))
    with pytest.raises(ModelZooError, match=r"manifest.json: its SHA-256 is"):
        resolve_gallery(NAME)


def test_a_copy_without_it_says_so(photo, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("PROCROP_CHECKPOINT", raising=False)
    bare = tmp_path / "metafile.yml"
    bare.write_text("Models: []\n")
    monkeypatch.setattr(metafile, "PACKAGE_METAFILE", bare)
    with pytest.raises(ModelZooError, match=f"comes without {NAME}: install it again, .*PROCROP_CHECKPOINT"):
        crop(photo)
    assert main(["crop", str(photo), "--out", str(tmp_path / "out")]) == 2
    assert "comes without procrop-lite" in capsys.readouterr().err

"""What stops a publication, and that nothing is left of it then."""

import json
import shutil

import pytest
import torch
from PIL import Image
from published_model import NAME, bytes_of, write_credited_photos

from procrop.apis.publishing import publish, publish_model
from procrop.apis.publishing.gallery_copy import sizes
from procrop.engine.published_weights import pack_weights


@pytest.mark.parametrize("what", ["weights", "keys and tokens", "thumbnails"])
def test_a_limit_says_by_how_much_and_leaves_what_was_there(folder, trained, tmp_path, monkeypatch, what):
    out = shutil.copytree(folder, tmp_path / "model")
    taken = sizes(out / "gallery") | dict(weights=(out / f"{NAME}.safetensors").stat().st_size)
    monkeypatch.setitem(publish.LIMITS, what, taken[what] - 7)
    with pytest.raises(ValueError, match=rf"the {what} take {taken[what]:,} bytes, 7 more than the limit"):
        publish_model(trained.checkpoint, trained.gallery, NAME, out)
    assert bytes_of(out) == bytes_of(folder) and [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_run_that_breaks_off_leaves_nothing(trained, tmp_path, monkeypatch):
    def broken(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr(publish, "largest_difference", broken)
    with pytest.raises(OSError, match="full"):
        publish_model(trained.checkpoint, trained.gallery, NAME, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_comes_back_where_the_new_one_cannot_take_its_place(
    folder, trained, tmp_path, monkeypatch, quick
):
    out, replace = shutil.copytree(folder, tmp_path / "model"), publish.os.replace

    def refused(source, target):
        if target == out and str(source).endswith(".tmp"):
            raise OSError("the disk is full")
        replace(source, target)

    monkeypatch.setattr(publish.os, "replace", refused)
    with pytest.raises(OSError, match="full"):
        publish_model(trained.checkpoint, trained.gallery, NAME, out)
    assert bytes_of(out) == bytes_of(folder) and [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_place_in_the_metadata_of_the_weights_is_found(tmp_path):
    own = dict(config="a = 1", text={"config": {"weights": "/home/someone/bert.pth"}})
    (tmp_path / "a.safetensors").write_bytes(pack_weights({"w": torch.zeros(1)}, own))
    with pytest.raises(ValueError, match="a.safetensors: names '/home/"):
        publish.check_places(tmp_path)


def test_the_card_is_kept_and_foreign_files_are_refused(trained, tmp_path, quick):
    out = tmp_path / "model"
    out.mkdir()
    (out / "README.md").write_text("# the card\n")
    publish_model(trained.checkpoint, trained.gallery, NAME, out)
    assert (out / "README.md").read_text() == "# the card\n" and (out / "ATTRIBUTION.md").is_file()
    (out / "notes.txt").touch()
    with pytest.raises(ValueError, match="notes.txt"):
        publish_model(trained.checkpoint, trained.gallery, NAME, out)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[1:], r"manifest.jsonl: has no line for a/photo 0.jpg"),
        (lambda lines: [lines[0] | {"licence": None}, *lines[1:]], "a/photo 0.jpg has no licence"),
        (
            lambda lines: [lines[0] | {"title": "", "repository": "", "original": None}, *lines[1:]],
            "has no title and no source",
        ),
        (lambda lines: [{"title": "nothing"}, *lines], r"manifest.jsonl:1: not an object with the texts"),
    ],
)
def test_a_photo_that_is_nobodys_is_not_published(trained, tmp_path, change, said):
    photos = write_credited_photos(tmp_path / "photos")
    lines = [json.loads(line) for line in (photos / "manifest.jsonl").read_text().splitlines()]
    (photos / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in change(lines)))
    with pytest.raises(ValueError, match=said):
        publish_model(trained.checkpoint, trained.gallery, NAME, tmp_path / "model", photos)
    assert not (tmp_path / "model").exists()


def test_photos_that_were_changed_are_refused(trained, tmp_path):
    photos = write_credited_photos(tmp_path / "photos")
    Image.new("RGB", (400, 300)).save(photos / "a" / "photo 0.jpg")
    with pytest.raises(ValueError, match="photo 0.jpg: the photo has changed"):
        publish_model(trained.checkpoint, trained.gallery, NAME, tmp_path / "model", photos)


def test_galleries_that_do_not_fit_are_refused(trained, gallery, folder, tmp_path):
    with pytest.raises(
        ValueError, match=r"at most \(16, 64\) are published; build it with .*subject_evidence.py"
    ):
        publish_model(trained.checkpoint, gallery.folder, NAME, tmp_path / "model")
    with pytest.raises(ValueError, match="is published already"):
        publish_model(trained.checkpoint, folder / "gallery", NAME, tmp_path / "model", trained.photos)


def test_a_model_of_another_encoder_is_refused(trained, tmp_path):
    loaded = torch.load(trained.checkpoint, weights_only=True)
    loaded["meta"]["procrop"]["retrieval"]["fingerprint"] = "0" * 64
    torch.save(loaded, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other.pth: was not trained with references of the encoder of"):
        publish_model(tmp_path / "other.pth", trained.gallery, NAME, tmp_path / "model")

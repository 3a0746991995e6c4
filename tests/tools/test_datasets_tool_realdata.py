"""`procrop datasets` on real photos."""

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from procrop.apis.cli import main

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.realdata


def run(*arguments):
    return main(["datasets", *map(str, arguments)])


@pytest.fixture
def flms(procrop_data):
    return procrop_data / "flms50"


def test_info_and_show(flms, tmp_path, capsys):
    assert run("info", f"flms:{flms}", "--json", tmp_path / "i.json") == 0
    figures = json.loads((tmp_path / "i.json").read_text())
    assert (figures["photos"], figures["crops"], figures["missing_photos"]) == (50, 499, [])
    assert figures["photo_shapes"] == {"landscape": 44, "portrait": 6, "square": 0}
    assert 0.5 < figures["crop_size"]["area"]["mean"] < 0.6
    assert run("show", f"flms:{flms}", "--out", tmp_path / "s.html", "--limit", 5) == 0
    assert (tmp_path / "s.html").read_text().count("<figure>") == 5


def test_the_known_fault_is_found_and_no_two_photos_are_alike(flms, tmp_path, capsys):
    assert run("check", f"flms:{flms}", "--decode", "--json", tmp_path / "r.json") == 1
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["problems"] == {
        "crop outside its photo": ["474242923_Large (crop 3: 14 381 1024 811; photo 1024x768)"]
    }
    assert report["leaks"] == {"itself": []}


def test_copies_in_a_gallery_are_found_and_other_photos_are_not(flms, procrop_data, tmp_path, capsys):
    sys.path.insert(0, str(ROOT / "tests" / "retrieval"))
    from colour_backbone import ColourBackbone

    from procrop.retrieval import build_gallery, items_from_folder

    photos = tmp_path / "photos"
    photos.mkdir()
    originals = sorted((flms / "image").iterdir())[::7]
    for number, path in enumerate(originals):
        with Image.open(path) as image:
            scale = (0.3, 0.5, 0.8)[number % 3]
            small = image.resize((round(image.width * scale), round(image.height * scale)))
        small.save(photos / f"copy{number}.jpg", quality=(30, 60, 90)[number % 3])
    for path in sorted((procrop_data / "bsds500" / "val").glob("*.jpg"))[:40]:
        (photos / path.name).write_bytes(path.read_bytes())
    retrieval = dict(backbone=dict(type=ColourBackbone.__name__), key_transform=dict(type="Normalise"))
    build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)
    assert run("check", f"flms:{flms}", "--gallery", tmp_path / "g", "--json", tmp_path / "r.json") == 1
    leaks = json.loads((tmp_path / "r.json").read_text())["leaks"]["the gallery"]
    found = {(leak["photo"], leak["other"]) for leak in leaks}
    assert found == {(path.name, f"copy{number}.jpg") for number, path in enumerate(originals)}
    assert min(leak["correlation"] for leak in leaks) > 0.9

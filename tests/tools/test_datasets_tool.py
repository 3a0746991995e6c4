"""`procrop datasets` as a user runs it: what it prints, writes and exits with."""

import base64
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from procrop.apis.cli import main

ROOT = Path(__file__).parents[2]


def picture(seed, size=(120, 80)):
    noise = np.random.default_rng(seed).normal(size=(size[1], size[0], 3))
    smooth = gaussian_filter(noise, (8, 8, 0))
    return Image.fromarray(np.rint(127 + 50 * smooth / smooth.std()).clip(0, 255).astype(np.uint8))


def write_hcic(root, crops, humans=None, photos=()):
    """A dataset in HCIC's layout with photos of the given names, drawn after their place in the list."""
    (root / "images").mkdir(parents=True)
    (root / "image_crop.json").write_text(json.dumps(crops))
    if humans:
        (root / "human_bboxes.json").write_text(json.dumps(humans))
    for seed, name in enumerate(photos):
        picture(seed).save(root / "images" / name, quality=95)
    return root


@pytest.fixture
def scored(tmp_path):
    """Six photos with three scored crops each, the first with a person."""
    names = [f"{i}.jpg" for i in range(1, 7)]
    boxes = [[0, 0, 90, 60], [10, 10, 110, 70], [20, 0, 120, 80]]
    crops = {name: {"bbox": boxes, "score": [1.0 + i / 2, 2, 3]} for i, name in enumerate(names)}
    return write_hcic(tmp_path / "scored", crops, {"1.jpg": [30, 20, 60, 75]}, names)


def run(*arguments):
    return main(["datasets", *map(str, arguments)])


def test_info(scored, tmp_path, capsys):
    picture_file, figures_file = tmp_path / "out" / "i.png", tmp_path / "i.json"
    assert run("info", f"hcic:{scored}:test", "--json", figures_file, "--out", picture_file) == 0
    out = capsys.readouterr().out
    for words in ("6, all there", "18; 3 a record", "1.00 to 3.50", "human 1", "6 landscape"):
        assert words in out
    figures = json.loads(figures_file.read_text())
    assert figures["split"] == "test" and figures["crop_size"]["width"]["mean"] == pytest.approx(290 / 360)
    with Image.open(picture_file) as image:
        assert image.size[0] > 1000 and np.asarray(image.convert("L")).std() > 10


def test_info_without_sizes_and_with_bad_entries(tmp_path, capsys):
    root = write_hcic(tmp_path / "d", {"a.jpg": [0, 0, 50, 40], "b.jpg": [0, 0, 0, 0]})
    assert run("info", f"hcic:{root}", "--out", tmp_path / "i.svg") == 1
    out = capsys.readouterr().out
    assert "1, 1 of them missing" in out and "1 x crop without area" in out and "none: every crop" in out
    assert (tmp_path / "i.svg").read_text().startswith("<?xml")


def test_check_clean_and_not(scored, tmp_path, capsys):
    assert run("check", f"hcic:{scored}", "--decode") == 0
    assert "clean" in capsys.readouterr().out
    (scored / "images" / "2.jpg").unlink()
    (scored / "images" / "3.jpg").write_bytes(b"text")
    picture(4).resize((60, 40)).save(scored / "images" / "6.jpg")
    assert run("check", f"hcic:{scored}", "--json", tmp_path / "r.json", "--decode", "--all") == 1
    out = capsys.readouterr().out
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["problems"]["photo missing"] == [str(scored / "images" / "2.jpg")]
    assert report["problems"]["crop outside its photo"][0].startswith("6 (crop 1: 0 0 90 60; photo 60x40)")
    assert [leak["other"] for leak in report["leaks"]["itself"]] == ["6.jpg"]
    assert "1 x photo in the dataset twice: the same picture" in out and "5.jpg = 6.jpg" in out
    assert "holds no image" in out and "6 problems" in out


def test_check_against_another_dataset(scored, tmp_path, capsys):
    other = write_hcic(tmp_path / "other", {"5.jpg": [0, 0, 9, 9], "x.png": [0, 0, 9, 9]})
    picture(2).resize((77, 50)).save(other / "images" / "x.png")
    picture(50).save(other / "images" / "5.jpg")
    cache = ["--cache", tmp_path / "c.db"]
    assert (
        run("check", f"hcic:{scored}", "--against", f"hcic:{other}", *cache, "--out", tmp_path / "p.html")
        == 1
    )
    out = capsys.readouterr().out
    assert f"1 x photo in hcic:{other}: the same picture" in out and "3.jpg = x.png" in out
    assert "note: 1 x name that a photo in" in out and "5.jpg / 5.jpg" in out
    page = read_page(tmp_path / "p.html")
    assert (
        len(page.pictures) == 2 and "the same picture, likeness 0.9" in page.text and "= x.png" in page.text
    )
    # the photos are known by now, and of these none is exactly the same
    assert run("check", f"hcic:{scored}", "--against", f"hcic:{other}", *cache, "--similarity", "1") == 0


def test_check_finds_photos_of_a_gallery(scored, tmp_path, capsys):
    sys.path.insert(0, str(ROOT / "tests" / "retrieval"))
    from colour_backbone import ColourBackbone

    from procrop.retrieval import build_gallery, items_from_folder

    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(20, 24):
        picture(seed).save(photos / f"g{seed}.png")
    (photos / "copy.jpg").write_bytes((scored / "images" / "1.jpg").read_bytes())
    picture(1).resize((90, 60)).save(photos / "small.jpg", quality=70)
    picture(30).save(photos / "3.png")
    retrieval = dict(backbone=dict(type=ColourBackbone.__name__), key_transform=dict(type="Normalise"))
    build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)
    assert run("check", f"hcic:{scored}", "--gallery", tmp_path / "g") == 1
    out = capsys.readouterr().out
    assert "photo in the gallery: the same file\n    1.jpg = copy.jpg" in out
    assert "photo in the gallery: the same picture\n    2.jpg = small.jpg" in out
    assert "another picture\n    3.jpg / 3.png" in out and "2 problems" in out
    overlooked = "(mirrored or strongly cropped copies are not found)\n"
    assert f"crops\nthe gallery: 7 photos compared, 2 found {overlooked}" in out
    for name in ("copy.jpg", "small.jpg"):
        (photos / name).rename(tmp_path / name)
    build_gallery(tmp_path / "clean", items_from_folder(photos), retrieval, photos)
    for name in ("copy.jpg", "small.jpg"):
        (tmp_path / name).rename(photos / name)
    assert run("check", f"hcic:{scored}", "--gallery", tmp_path / "clean") == 0
    assert f"crops\nthe gallery: 5 photos compared, none found {overlooked}" in capsys.readouterr().out
    # without the gallery's photos the hashes still tell
    photos.rename(tmp_path / "moved")
    assert run("check", f"hcic:{scored}", "--gallery", tmp_path / "g") == 1
    out = capsys.readouterr().out
    assert (
        "1.jpg = copy.jpg" in out and "small" not in out.split("note:")[0] and "missing or unreadable" in out
    )
    moved = ["--gallery-photos", tmp_path / "moved"]
    assert run("check", f"hcic:{scored}", "--gallery", tmp_path / "g", *moved) == 1
    assert "2.jpg = small.jpg" in capsys.readouterr().out


class _Cards(HTMLParser):
    """Counts pages and collects pictures and texts."""

    def __init__(self):
        super().__init__()
        self.pages, self.pictures, self.text = 0, [], ""

    def handle_starttag(self, tag, attrs):
        self.pages += tag == "main"
        if tag == "img":
            data = dict(attrs)["src"].partition("base64,")[2]
            self.pictures.append(Image.open(io.BytesIO(base64.b64decode(data))))

    def handle_data(self, data):
        self.text += data


def read_page(path):
    page = _Cards()
    page.feed(path.read_text())
    return page


def test_show_as_a_page(scored, tmp_path, capsys):
    (scored / "images" / "4.jpg").unlink()
    out = tmp_path / "o" / "sheet.html"
    assert run("show", f"hcic:{scored}", "--out", out, "--sort", "score") == 1
    assert "6 of 6 records shown, 1 of them without their photo" in capsys.readouterr().out
    page = read_page(out)
    assert len(page.pictures) == 6 and page.pages == 1 and "http" not in out.read_text()
    assert page.pictures[0].size == (360, 240)
    titles = re.findall(r"<b>(\d)</b>", out.read_text())
    assert titles == ["6", "1", "2", "3", "4", "5"]
    assert (
        "no photo: the file does not exist" in page.text and "human" in page.text and "120 × 80" in page.text
    )
    assert run("show", f"hcic:{scored}", "--out", out) == 2
    assert "give --replace" in capsys.readouterr().err
    assert run("show", f"hcic:{scored}", "--out", out, "--replace", "--ids", "3", "1") == 0
    assert re.findall(r"<b>(\d)</b>", out.read_text()) == ["3", "1"]
    assert run("show", f"hcic:{scored}", "--out", out, "--replace", "--tag", "human") == 0
    assert re.findall(r"<b>(\d)</b>", out.read_text()) == ["1"]


@pytest.mark.parametrize("scores", [True, False])
def test_a_format_without_scores_has_no_best_crops(scored, tmp_path, monkeypatch, scores):
    shown = f"hcic:{scored}"
    if not scores:
        shown = f"flms:{tmp_path / 'flms'}"
        assert run("convert", f"hcic:{scored}", shown, "--photos", "copy") == 0
    written = []
    draw = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda self, xy, text, *a, **k: (written.append(text), draw(self, xy, text, *a, **k)),
    )
    assert run("show", shown, "--out", tmp_path / "out") == 0
    assert ("photo with its best crops" in written) == scores
    assert ("photo with crops, in no order" in written) == (not scores)


def test_show_as_pictures(scored, tmp_path, capsys):
    out = tmp_path / "sheets"
    order = []
    for seed in (1, 1, 2):
        assert (
            run(
                "show",
                f"hcic:{scored}",
                "--out",
                out,
                "--sort",
                "random",
                "--seed",
                seed,
                "--limit",
                4,
                "--replace",
            )
            == 0
        )
        order.append((out / "sheet.png").read_bytes())
    assert order[0] == order[1] != order[2]
    (out / "sheet_2.png").write_bytes(b"old page")
    assert run("show", f"hcic:{scored}", "--out", out, "--sort", "name", "--limit", 1, "--replace") == 0
    assert sorted(path.name for path in out.iterdir()) == ["sheet.png"]


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["info", "hcic"], "a dataset is named FORMAT:ROOT"),
        (["info", "gone:x"], "unknown dataset format 'gone'"),
        (["info", "hcic:{0}:val"], "has no split 'val'"),
        (["info", "hcic:{0}/none"], "image_crop.json is missing"),
        (["info", "hcic:{0}", "--out", "x.bmp"], "ends in .png"),
        (["check", "hcic:{0}", "--out", "x.jpg"], "ends in .html"),
        (["check", "hcic:{0}", "--similarity", "2"], "above 0 and at most 1"),
        (["check", "hcic:{0}", "--workers", "0"], "at least 1"),
        (["check", "hcic:{0}", "--gallery-photos", "x"], "goes with --gallery"),
        (["check", "hcic:{0}", "--gallery", "{0}"], "gallery"),
        (["show", "hcic:{0}", "--out", "x.jpg"], "ends in .html"),
        (["show", "hcic:{0}", "--out", "x", "--limit", "0"], "at least 1"),
        (["show", "hcic:{0}", "--out", "x", "--ids", "77"], "no record '77'"),
        (["show", "hcic:{0}", "--out", "x", "--tag", "dog"], "no record has the tag"),
    ],
)
def test_what_cannot_be_done_is_one_line(scored, tmp_path, monkeypatch, capsys, arguments, reason):
    monkeypatch.chdir(tmp_path)
    assert run(*(text.format(scored) for text in arguments)) == 2
    error = capsys.readouterr().err
    assert reason in error and "Traceback" not in error
    assert not {"x", "x.bmp", "x.jpg"} & {path.name for path in tmp_path.iterdir()}


def test_names_that_no_terminal_can_print(tmp_path, capsys):
    root = write_hcic(tmp_path / "d", {"a\x1b[31m\n.jpg": [0, 0, 50, 40]})
    assert run("check", f"hcic:{root}") == 1
    assert "\x1b" not in capsys.readouterr().out


def test_nothing_heavy_is_imported(scored, tmp_path):
    program = (
        "import sys\nfrom procrop.apis.cli import main\n"
        f"assert main(['datasets', 'check', 'hcic:{scored}', '--against', 'hcic:{scored}']) == 1\n"
        f"assert main(['datasets', 'show', 'hcic:{scored}', '--out', {str(tmp_path / 's.html')!r}]) == 0\n"
        "assert not {'torch', 'mmengine', 'mmdet', 'cv2', 'faiss'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr

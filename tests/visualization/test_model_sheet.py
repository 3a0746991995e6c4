"""The sheet shows each model's own crop, in the photo and cut out."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from procrop.visualization import ModelCrops, ModelRow, ModelSheet
from procrop.visualization.crop_overlay import outline_boxes, shade_outside

RED, GREEN, BLUE = (200, 30, 30), (10, 160, 40), (30, 60, 200)


def _photo():
    """300 x 210: the left third red, the middle green, the right blue."""
    photo = np.zeros((210, 300, 3), np.uint8)
    for number, colour in enumerate((RED, GREEN, BLUE)):
        photo[:, 100 * number : 100 * number + 100] = colour
    return photo


def _pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def _count(pixels, colour):
    return int((pixels == colour).all(axis=2).sum())


def test_crops_stand_under_their_model(tmp_path):
    thirds = [np.array([[100.0 * i, 0, 100 * i + 100, 210]]) for i in range(3)]
    row = ModelRow("p", _photo(), thirds[0], thirds[0][0], None, "one crop", [])
    row.models = [ModelCrops(thirds[1], "IoU 0.1"), ModelCrops(thirds[2], "IoU 0.2"), ModelCrops(note="none")]
    with ModelSheet(tmp_path / "s.png", ["a", "b", "c"]) as sheet:
        sheet.add(row)
    pixels = _pixels(tmp_path / "s.png")
    assert pixels.shape[1] == sheet.width == 2 * 32 + 4 * 300 + 3 * 26
    assert sheet.pages == [tmp_path / "s.png"]
    crops = pixels[92 + 18 + 34 + 210 + 8 :]  # under the header, the title and the pictures of the photo
    cut = round(190 / 2.1) * 190
    for column, (own, others) in enumerate(
        [(RED, (GREEN, BLUE)), (GREEN, (RED, BLUE)), (BLUE, (RED, GREEN))]
    ):
        part = crops[:, 32 + 326 * column : 32 + 326 * column + 300]
        assert _count(part, own) == cut and [_count(part, other) for other in others] == [0, 0]
    assert all(_count(crops[:, 32 + 3 * 326 :], colour) == 0 for colour in (RED, GREEN, BLUE))
    # what a model leaves out is darkened: of the photo in the second column only the middle keeps its colour
    photos = pixels[92 + 18 + 34 : 92 + 18 + 34 + 210, 32 + 326 : 32 + 626]
    assert _count(photos, RED) == _count(photos, BLUE) == 0 and _count(photos, GREEN) > 0.8 * 100 * 210
    assert tuple(photos[100, 50]) == pytest.approx(tuple(0.45 * value for value in RED), abs=1)


def test_several_crops_share_the_place_of_one(tmp_path):
    boxes = np.array([[0, 0, 100, 210], [100, 0, 200, 210], [200, 0, 300, 210], [0, 0, 300, 210.0]])
    with ModelSheet(tmp_path / "s.png", ["a"], top=9) as sheet:
        sheet.add(ModelRow("p", _photo(), models=[ModelCrops(boxes)]))
    assert sheet.top == 4
    crops = _pixels(tmp_path / "s.png")[92 + 18 + 34 + 210 + 8 :, 32 + 326 :]
    # three crops of a third each, 91 high; the fourth is the photo, 130 wide
    assert _count(crops, RED) == pytest.approx(43 * 91 + 91 * 130 / 3, rel=0.1)
    assert np.argwhere((crops == BLUE).all(axis=2)).min(axis=0)[0] > 91  # the third one is in the second line


def test_a_rejected_photo_has_a_line(tmp_path):
    with ModelSheet(tmp_path / "s.png", ["a", "b"]) as sheet:
        sheet.add(ModelRow("p", note="file is gone"))
    assert (_pixels(tmp_path / "s.png") == (168, 32, 20)).all(axis=2).any()


def test_a_html_page_holds_everything(tmp_path):
    with ModelSheet(tmp_path / "s.html", ["a"], rows_per_page=5, heading="<A & B>") as sheet:
        for _ in range(3):
            sheet.add(ModelRow("p", _photo(), models=[ModelCrops(np.array([[0, 0, 100, 210.0]]))]))
    text = (tmp_path / "s.html").read_text()
    assert "<title>&lt;A &amp; B&gt;</title>" in text and "http" not in text
    pictures = re.findall(
        r'<img width="(\d+)" height="(\d+)" alt="[^"]*" loading="lazy" src="data:([^;]+);base64,([^"]+)"',
        text,
    )
    assert [kind for _, _, kind, _ in pictures] == ["image/png"] + ["image/jpeg"] * 3
    for width, height, _, data in pictures:
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (int(width), int(height))
    assert {int(width) for width, *_ in pictures} == {sheet.width}


def test_outline_and_shade_scale_with_the_picture():
    photo = np.full((100, 200, 3), 200, np.uint8)
    image = Image.fromarray(photo).resize((400, 200))
    shade_outside(image, photo, (50, 25, 150, 75), share=0.5)
    pixels = np.asarray(image)
    assert (pixels[50:150, 100:300] == 200).all() and (pixels == 100).all(
        axis=2
    ).sum() == 400 * 200 - 200 * 100
    outline_boxes(image, photo, np.array([[50, 25, 150, 75], [0, 0, 200, 100]]), (1, 2, 3), thin=True)
    pixels = np.asarray(image)
    assert (
        tuple(pixels[50, 200]) == (1, 2, 3) == tuple(pixels[199, 7]) and tuple(pixels[60, 200]) == (200,) * 3
    )

"""The panel as HTML: what can be clicked, what is said, and that names are no markup."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from demo_parts import CONFIGS, write_photo
from PIL import Image
from tiny_cropper import write_checkpoint

from procrop.demo import DemoOptions, DemoSession, SharedCropper, draw_panel, panel
from procrop.inference import CropInferencer


@pytest.fixture(scope="module")
def cropper(demo_model, gallery):
    return SharedCropper(CropInferencer(demo_model, gallery.folder, device="cpu", k=3))


@pytest.fixture
def session(cropper, tmp_path):
    (tmp_path / "session").mkdir()
    return DemoSession(cropper, tmp_path / "session")


class Tags(HTMLParser):
    """All start tags as (name, attributes)."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def of(self, name):
        return [attributes for tag, attributes in self.found if tag == name]


def acts(tags, act):
    return [button.get("data-value") for button in tags.of("button") if button.get("data-act") == act]


def picture(attributes):
    return Image.open(io.BytesIO(base64.b64decode(attributes["src"].split(",", 1)[1])))


def test_crops_scores_and_references_stand_in_the_panel(session, tmp_path):
    session.add(write_photo(tmp_path / "a.png"), "a.png")
    session.set_options(DemoOptions("4:5", 2))
    result, text = session.view(), draw_panel(session)
    tags = Tags(text)
    crops = [image for image in tags.of("img") if "pc-crop" in image.get("class", "")]
    assert [image["alt"] for image in crops] == ["crop 1 of a.png", "crop 2 of a.png"]
    for image, box in zip(crops, result.boxes, strict=True):
        assert picture(image).size == (box[2] - box[0], box[3] - box[1])
    for score, box in zip(result.scores, result.boxes.astype(int), strict=True):
        assert f"score <b>{score:.3f}</b>" in text
        assert f"{box[2] - box[0]} × {box[3] - box[1]} pixels at ({box[0]}, {box[1]})" in text
    for crop in result.to_dict()["crops"]:
        x, y = crop["focal_point"]
        assert f"<code>object-position: {x:g}% {y:g}%</code>" in text
    names = [reference.name for reference in result.references]
    assert acts(tags, "pin") == names and acts(tags, "ban") == names
    for reference in result.references:
        assert f"{reference.score:.3f}" in text
        assert f"{100 * result.attention.of(reference.id):.1f} %" in text
    links = [link["href"] for link in tags.of("a")]
    assert links == [f"crops/{session.token}/all.zip"] + [f"crops/{session.token}/p1/2/{n}" for n in (0, 1)]


def test_pinned_and_banned_references_look_so_and_can_be_let_go(session, tmp_path):
    session.add(write_photo(tmp_path / "a.png"), "a.png")
    first, second, third = (reference.name for reference in session.view().references)
    session.pin(third)
    session.ban(first)
    tags = Tags(draw_panel(session))
    assert acts(tags, "release") == [third, first]
    pressed = [
        button.get("data-value") for button in tags.of("button") if button.get("aria-pressed") == "true"
    ]
    assert pressed == ["p1", third]
    assert len(acts(tags, "release_all")) == 1
    shown = [item["data-name"] for item in tags.of("li") if "data-name" in item]
    assert shown[0] == third and second in shown and shown[-1] == first


def test_an_answer_is_drawn_once(session, tmp_path, monkeypatch):
    drawn = []
    whole = panel.draw_overlay
    monkeypatch.setattr(panel, "draw_overlay", lambda *args: drawn.append(1) or whole(*args))
    for seed in (0, 1):
        session.add(write_photo(tmp_path / f"{seed}.png", seed), f"{seed}.png")
        draw_panel(session)
    assert drawn == [1]
    session.set_options(DemoOptions("1:1", 1))
    assert 'class="pc-crop" data-rank="0"' in draw_panel(session) and drawn == [1, 1]
    session.pin("gone.png")
    assert "no photo &#x27;gone.png&#x27;" in draw_panel(session) and drawn == [1, 1]
    session.choose("p2")
    assert "crop 1 of 1.png" in draw_panel(session) and drawn == [1, 1, 1]


def test_everything_has_a_name_that_can_be_read_out(session, tmp_path):
    session.add(write_photo(tmp_path / "a.png"), "a.png")
    session.refuse("b.png", "the upload failed")
    text = draw_panel(session)
    tags = Tags(text)
    assert all("alt" in image for image in tags.of("img"))
    for button in tags.of("button"):
        assert button.get("aria-label") or button["data-act"] == "release_all", button
    keys = [attributes["data-key"] for _, attributes in tags.found if "data-key" in attributes]
    assert len(keys) == len(set(keys))
    assert 'role="status"' in text and "3 crops of a.png, the best one scores" in text


def test_names_are_no_markup(session, tmp_path):
    session.add(write_photo(tmp_path / "a.png"), "<img src=x onerror=alert(1)>.png")
    session.refuse('"><script>alert(2)</script>.png', "<b>reason</b>")
    session.message = "<i>message</i>"
    text = draw_panel(session)
    assert not re.search(r"<(script|b>reason|i>message|img src=x)", text)
    assert "&lt;b&gt;reason&lt;/b&gt;" in text and "&lt;i&gt;message" in text
    assert not any(name.startswith("on") for _, attributes in Tags(text).found for name in attributes)


def test_a_photo_without_crops_says_why_and_a_model_without_references_has_none(tmp_path):
    cropper = SharedCropper(CropInferencer(write_checkpoint(tmp_path, spoil="all nan"), device="cpu"))
    (tmp_path / "session").mkdir()
    session = DemoSession(cropper, tmp_path / "session")
    session.add(write_photo(tmp_path / "a.png"), "a.png")
    text = draw_panel(session)
    assert "No crop of this photo: the model gave no usable crop (NaN or no area)" in text
    assert 'class="pc-crop"' not in text and "Download crop" not in text and "References" not in text


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("procrop_toy.py", "A full bar is a similarity of 1, and "),
        ("baselines/gaic_procrop_toy.py", "No share of attention is shown: GridAnchorHead has no decoder"),
        ("baselines/gaic_toy.py", "This model works without references."),
    ],
)
def test_what_bars_stand_for_or_why_there_are_none(config, said, tmp_path, gallery, untrained):
    own = None if config == "baselines/gaic_toy.py" else gallery
    path = untrained(CONFIGS / config, own, tmp_path / "model.pth")
    cropper = SharedCropper(CropInferencer(path, own and own.folder, device="cpu"))
    (tmp_path / "session").mkdir()
    session = DemoSession(cropper, tmp_path / "session")
    session.add(write_photo(tmp_path / "a.png"), "a.png")
    session.set_options(DemoOptions("1:1", 2))
    text = draw_panel(session)
    assert said in text and "2 crops of a.png" in text
    assert ("<dt>attention</dt>" in text) == (config == "procrop_toy.py")
    assert ("<dt>similarity</dt>" in text) == (own is not None)

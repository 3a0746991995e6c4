"""The explanation as one picture: bars in proportion, text that stays apart and on the picture, every fact in it."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageDraw

from procrop.inference import CropResult, Reference
from procrop.visualization import draw_explanation
from procrop.visualization.explanation import percent, share_scale, similarity_scale
from procrop.visualization.explanation_picture import BAR
from procrop.visualization.palette import ABSENT, PARTS

sys.path.append(str(Path(__file__).parent))

from explained import attention, explained  # noqa: E402

TABLE = 512  # where the references begin
FULL, THICK = BAR


def runs(picture, colour, left=TABLE):
    """Widths of the bars of a colour, from top to bottom: rows of the picture with THICK equal runs."""
    found, last = [], 0
    for row in (np.asarray(picture)[:, left:] == colour).all(axis=2):
        places = np.flatnonzero(row)
        length = len(places) if len(places) and np.ptp(places) == len(places) - 1 else 0
        if length and length != last:
            found.append(length)
        last = length
    return found


@pytest.fixture
def texts(monkeypatch):
    """Boxes and words of everything that is written onto the last pictures."""
    written, whole = [], ImageDraw.ImageDraw.text

    def text(self, xy, words, fill=None, font=None, anchor=None, **more):
        if words:
            written.append((self, self.im.size, self.textbbox(xy, words, font, anchor), words))
        return whole(self, xy, words, fill, font, anchor, **more)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return written


def words(texts):
    return [entry[3] for entry in texts]


def test_bars_are_as_long_as_their_values(tmp_path):
    attended = attention([[1, 2, 5], [5, 2, 1]], photo=0.1, null=0.1)
    picture = draw_explanation(explained(tmp_path, attended=attended))
    assert runs(picture, PARTS["photo"]) == [round(FULL * s) for s in (0.9, 0.8, 0.7)]
    # shares of 10, 20 and 50 % on a scale that ends at 50 %
    assert runs(picture, PARTS["references"]) == [round(FULL * s) for s in (0.2, 0.4, 1)]
    second = draw_explanation(explained(tmp_path, attended=attended), rank=1)
    assert runs(second, PARTS["references"]) == [round(FULL * s) for s in (1, 0.4, 0.2)]


def test_the_bar_of_parts_is_filled_by_them(tmp_path, texts):
    attended = attention([[1, 1, 2], [1, 1, 1]], photo=0.25, text=0.125, null=0.0625)
    picture = draw_explanation(
        explained(tmp_path, attended=attended, caption="a dog", caption_source="given")
    )
    pixels = np.asarray(picture)[:, 32 : 32 + 440]
    shares = dict(references=0.5625, photo=0.25, text=0.125, null=0.0625)
    (bar,) = {
        tuple(map(tuple, row))
        for row in pixels
        if {tuple(pixel) for pixel in row} == {PARTS[key] for key in shares}
    }
    counts = {key: sum(pixel == colour for pixel in bar) for key, colour in PARTS.items()}
    assert counts == {key: pytest.approx(440 * share, abs=1) for key, share in shares.items()}
    assert sum(counts.values()) == 440
    for label in ("56.2 %", "25.0 %", "12.5 %", "6.2 %", "the caption", "the photo itself", "a dog"):
        assert label in words(texts)


@pytest.mark.parametrize(
    "case",
    ["usual", "many", "long names", "tall", "strip", "distances", "all on one", "no attention", "upright"],
)
def test_no_text_leaves_the_picture_or_touches_another(tmp_path, texts, case):
    count = {"many": 30, "all on one": 2}.get(case, 9)
    size = {"tall": (60, 900), "strip": (2000, 40), "upright": (200, 300)}.get(case, (300, 200))
    shares = np.random.default_rng(0).dirichlet(np.ones(count), 2)
    attended = attention(shares, photo=0.2, text=0.1)
    if case == "all on one":
        attended = attention([[1, 0], [1, 0]], photo=0, null=0)
    result = explained(tmp_path, count, size, attended=None if case == "no attention" else attended)
    if case == "long names":
        long = [replace(ref, name="W" * 300 + ".jpg", weight=12) for ref in result.references]
        result = replace(result, references=long, path="/photos/" + "W" * 300, caption="W " * 900)
    if case == "distances":
        away = [replace(ref, score=-12345.678 * (i + 1)) for i, ref in enumerate(result.references)]
        result = replace(result, references=away)
    picture = draw_explanation(
        result, note="why there is no attention " * (20 if case == "no attention" else 0)
    )
    assert len(words(texts)) > 12
    for number, (canvas, (width, height), box, said) in enumerate(texts):
        assert box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height, said
        for other, _, second, more in texts[:number]:
            apart = box[0] >= second[2] or second[0] >= box[2] or box[1] >= second[3] or second[1] >= box[3]
            assert other is not canvas or apart, (said, more)
    edge = np.asarray(picture)[:, -30:]
    assert (edge == edge[0, 0]).all()


def test_more_references_than_fit_are_summed_up(tmp_path, texts):
    draw_explanation(explained(tmp_path, 15, attended=attention([[1] * 15] * 2, photo=0.1, null=0.15)))
    assert "and 3 more, share of attention 15.0 %" in words(texts)
    assert "reference_11.png" in words(texts) and "reference_12.png" not in words(texts)


def test_every_reference_shows_its_photo_or_that_it_is_gone(tmp_path, texts):
    result = explained(tmp_path, attended=attention([[1, 1, 1]] * 2))
    gone = [*result.references, Reference(7, "gone.png", 0.1, str(tmp_path / "gone.png"), 3)]
    picture = np.asarray(draw_explanation(replace(result, references=gone)))
    for number in range(3):
        assert (picture == (10, 100 + number, 200)).all(axis=2).sum() == 108 * 72
    assert (picture[:, TABLE : TABLE + 108] == ABSENT).all(axis=2).sum() > 0.8 * 108 * 72
    assert {"file is gone", "counts 3 times", "0.0 %"} <= set(words(texts))


def test_without_attention_it_says_so_and_shows_the_similarity(tmp_path, texts):
    picture = draw_explanation(explained(tmp_path), note="fused before the encoder")
    assert "not recorded" in words(texts) and "300 × 200 · fused before the encoder" in words(texts)
    assert runs(picture, PARTS["photo"]) == [round(FULL * s) for s in (0.9, 0.8, 0.7)]
    assert not runs(picture, PARTS["references"])
    assert not any("attention," in said for said in words(texts))


def test_a_crop_without_any_prediction_on_it_says_so(tmp_path, texts):
    nothing = attention([[1, 1, 1]] * 2)
    for part in (nothing.references, nothing.photo, nothing.text, nothing.null):
        part[0] = np.nan
    picture = draw_explanation(explained(tmp_path, attended=nothing))
    assert "not defined: no prediction overlaps this crop" in words(texts)
    assert not runs(picture, PARTS["references"]) and words(texts).count("–") == 3


def test_a_model_without_references_says_so(tmp_path, texts):
    draw_explanation(explained(tmp_path, 0, attended=attention(np.zeros((2, 0)), photo=1, null=0)))
    assert "no references" in words(texts) and "100.0 %" in words(texts)


def test_what_cannot_be_shown_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="bad.jpg: rejected, .*: the file is empty"):
        draw_explanation(CropResult("bad.jpg", rejected="the file is empty"))
    with pytest.raises(ValueError, match="carries no photo"):
        draw_explanation(explained(tmp_path, image=None))
    with pytest.raises(ValueError, match="has 2 crops, so there is none of rank 2"):
        draw_explanation(explained(tmp_path), rank=2)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0 %"), (1e-5, "< 0.1 %"), (0.0005, "0.1 %"), (0.0423, "4.2 %"), (1, "100.0 %"), (np.nan, "–")],
)
def test_shares_in_words(share, text):
    assert percent(share) == text


def test_scales_hold_all_values():
    assert [share_scale(s) for s in ([], [0.004], [0.02, 0.01], [0.3], [0.9, np.nan])] == [
        0.01,
        0.01,
        0.02,
        0.5,
        1,
    ]
    assert similarity_scale([0.2, 0.9]) == (0, 1) and similarity_scale([0, 0]) == (0, 1)
    assert similarity_scale([-0.1, 0.9]) == (-0.1, 1) and similarity_scale([3, 2]) == (0, 3)
    assert similarity_scale([-9, -2]) == (-9, 0)


def test_the_crop_itself_is_shown(tmp_path):
    photo = np.zeros((200, 300, 3), dtype=np.uint8)
    photo[40:180, 30:270] = (250, 0, 250)  # exactly the first crop
    picture = np.asarray(draw_explanation(explained(tmp_path, image=photo)))
    # the crop of 240 x 140 in its room of 440 x 300, and the photo of 300 x 200 in 440 x 330 less frames and labels
    area = (picture == (250, 0, 250)).all(axis=2).sum()
    assert 440 * 257 + 0.8 * 352 * 205 < area <= 440 * 257 + 352 * 206


def test_a_reference_says_whose_it_is(tmp_path, texts):
    result = explained(tmp_path, attended=attention([[1, 1, 1]] * 2))
    first = replace(result.references[0], title="Reef", author="Li", licence="CC0-1.0")
    picture = draw_explanation(replace(result, references=[first, *result.references[1:]]))
    assert words(texts).count("Reef, Li, CC0-1.0") == 1
    assert runs(picture, PARTS["photo"])[-3:] == [round(FULL * s) for s in (0.9, 0.8, 0.7)]

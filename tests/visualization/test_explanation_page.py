"""The report: self-contained, escaped, complete, readable by machines for people who do not see it."""

import base64
import io
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procrop.inference import CropResult
from procrop.visualization import write_explanation_page

sys.path.append(str(Path(__file__).parent))

from explained import attention, explained  # noqa: E402

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Elements with their attributes, text, and a check that tags are closed in order."""

    def __init__(self, file):
        super().__init__()
        self.elements, self.words, self._open = [], "", []
        self.feed(file.read_text(encoding="utf-8"))
        assert self._open == ["html"][: len(self._open)]

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.words += data

    def all(self, tag, **attrs):
        return [a for t, a in self.elements if t == tag and all(a.get(k) == v for k, v in attrs.items())]


def write(folder, *results, **options):
    path = folder / "report.html"
    assert write_explanation_page(iter(results), path, **options) == len(results)
    return Page(path)


def picture(element):
    kind, data = element["src"].split(",", 1)
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def result(folder, **fields):
    attended = fields.pop("attended", attention([[1, 2, 5], [5, 2, 1]], photo=0.125, text=0.05, null=0.025))
    return explained(folder, attended=attended, **fields)


def widths(page, kind):
    return [float(re.search(r"width: ([\d.]+)%", a["style"])[1]) for a in page.all("span", **{"class": kind})]


def test_all_pictures_are_inside_with_words_and_sizes(tmp_path):
    page = write(tmp_path, result(tmp_path), replace(result(tmp_path), path="/photos/other.jpg"))
    images = page.all("img")
    assert len(images) == 2 * (1 + 2 + 3)
    for element in images:
        assert element["alt"] and picture(element).size == (int(element["width"]), int(element["height"]))
    assert [element["alt"] for element in images[:4]] == [
        "photo.jpg with the frames of 2 crops",
        "crop 1 of photo.jpg: 240 × 140 pixels at (30, 40)",
        "crop 2 of photo.jpg: 150 × 200 pixels at (0, 0)",
        "reference reference_0.png",
    ]
    assert [picture(element).size for element in images[:4]] == [
        (300, 200),
        (240, 140),
        (150, 200),
        (120, 80),
    ]


def test_nothing_is_fetched_and_nothing_runs(tmp_path):
    page = write(tmp_path, result(tmp_path), result(tmp_path))
    for tag, attrs in page.elements:
        assert tag not in ("script", "link", "iframe", "object", "base", "form")
        assert not [name for name in attrs if name.startswith("on")]
        assert attrs.get("src", "data:").startswith("data:") and attrs.get("href", "#").startswith("#")
    text = (tmp_path / "report.html").read_text()
    assert "http:" not in text and "https:" not in text and "@import" not in text and "url(" not in text
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_big_photos_are_scaled_down(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    photo = np.asarray(Image.fromarray(noise).resize((3000, 2000)))
    page = write(tmp_path, result(tmp_path, size=(3000, 2000), image=photo))
    sizes = [picture(element).size for element in page.all("img")]
    assert sizes[0] == (760, 507) and max(map(max, sizes[1:])) <= 420
    assert (tmp_path / "report.html").stat().st_size < 400_000


def test_bars_are_as_long_as_their_values(tmp_path):
    page = write(tmp_path, result(tmp_path))
    assert widths(page, "fill photo") == [90, 80, 70]
    # 10, 20 and 50 % of the first crop's attention, beside those of the second, on a scale that ends at 50 %
    assert widths(page, "fill references") == pytest.approx([20, 100, 40, 40, 100, 20])
    assert "a full bar is a similarity of 1, and 50 % of a crop's attention" in page.words
    for kind, share in (("references", 80), ("photo", 12.5), ("text", 5), ("null", 2.5)):
        assert widths(page, kind) == [share] * 2
    assert page.words.count("12.5 %") == 2 and page.words.count("2.5 %") == 4


def test_each_figure_of_a_row_is_named(tmp_path):
    page = write(tmp_path, result(tmp_path))
    labels = [a["data-label"] for a in page.all("td") if "data-label" in a]
    assert labels == ["similarity", "attention of crop 1", "attention of crop 2"] * 3
    assert len(page.all("th", scope="row")) == 3 and len(page.all("th", scope="col")) == 5
    assert len(page.all("ul", **{"aria-label": "where its attention went"})) == 2


def test_many_photos_have_a_list_that_leads_to_them(tmp_path):
    results = [replace(result(tmp_path, size=(30, 20)), path=f"/photos/{i % 3}/{i}.jpg") for i in range(41)]
    results[7] = CropResult("/photos/bad.jpg", rejected="the file is empty")
    page = write(tmp_path, *results, root="/photos")
    links = [a["href"] for a in page.all("a") if a["href"].startswith("#photo-")]
    ids = [a["id"] for a in page.all("article")]
    assert links == [f"#{name}" for name in ids] and len(set(ids)) == 41
    assert {a["aria-labelledby"] for a in page.all("article")} <= {a.get("id") for a in page.all("h2")}
    assert "2/11.jpg" in page.words and "41 photos, 1 of them rejected" in page.words
    assert "rejected: the file is empty" in page.words
    assert "open" not in page.all("details")[0]
    few = write(tmp_path, *results[:3])
    assert "open" in few.all("details")[0] and "2/" not in few.words and len(few.all("h2")) == 3
    assert not write(tmp_path, results[0]).all("nav")


def test_names_captions_and_reasons_are_escaped(tmp_path):
    evil = "<script>alert('1')</script>\n\x1b\udcff&\"x"
    first = result(tmp_path)
    references = [replace(ref, name=evil) for ref in first.references]
    bad = replace(
        first,
        path=f"/photos/{evil.replace('/', ' ')}",
        references=references,
        caption=evil,
        caption_source=evil,
        notes=(evil,),
    )
    page = write(tmp_path, bad, CropResult("b.jpg", rejected=evil), title=evil, note=evil)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not page.all("script") and "<script" not in text and "\x1b" not in text
    shown = "<script>alert('1')</script>???&\"x"
    assert page.words.count(shown) == 1 + 1 + 1 + 1 + 1 + 1 + 3 + 1  # title twice, note, caption, source, ...
    assert page.all("img")[-1]["alt"] == f"reference {shown}"


def test_without_attention_and_without_references(tmp_path):
    page = write(tmp_path, result(tmp_path, attended=None), note="it is not defined")
    assert "attention not recorded" in page.words and "it is not defined" in page.words
    assert widths(page, "fill photo") == [90, 80, 70] and not page.all("span", **{"class": "fill references"})
    plain = attention(np.zeros((2, 0)), photo=1, null=0)
    page = write(tmp_path, result(tmp_path, references=0, attended=plain))
    assert "no references" in page.words and not page.all("table") and page.words.count("100.0 %") == 2
    nowhere = attention([[np.nan] * 3] * 2)
    nowhere = replace(nowhere, photo=np.full(2, np.nan))
    page = write(tmp_path, result(tmp_path, attended=nowhere))
    assert "no prediction overlaps" in page.words and page.words.count("–") == 6


def test_a_reference_without_a_file_and_one_that_counts_twice(tmp_path):
    first = result(tmp_path)
    gone, twice, third = first.references
    changed = replace(first, references=[replace(gone, path=None), replace(twice, weight=2), third])
    page = write(tmp_path, changed)
    assert page.words.count("file is gone") == 1 and page.words.count("counts 2 times") == 1
    assert len(page.all("img")) == 5


def test_light_and_dark_have_the_same_colours_to_set(tmp_path):
    write(tmp_path, result(tmp_path))
    text = (tmp_path / "report.html").read_text()
    light, dark = (set(re.findall(r"--([\w-]+):", part)) for part in re.findall(r":root \{(.*?)\}", text))
    assert light == dark == set(re.findall(r"var\(--([\w-]+)\)", text))


def test_a_report_that_fails_leaves_the_old_one(tmp_path):
    write(tmp_path, result(tmp_path))
    before = (tmp_path / "report.html").read_bytes()

    def broken():
        yield result(tmp_path)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        write_explanation_page(broken(), tmp_path / "report.html")
    with pytest.raises(ValueError, match="carries no photo"):
        write_explanation_page([result(tmp_path, image=None)], tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_no_photo_at_all_is_a_page_too(tmp_path):
    assert "0 photos" in write(tmp_path).words

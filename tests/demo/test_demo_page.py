"""The page in a real browser, served by the command as people start it. Skipped only without gradio or a Chromium."""

import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from demo_parts import write_photo
from PIL import Image

pytest.importorskip("gradio", reason="the page needs gradio, which is not installed")
sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright, which drives the browser, is not installed"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PATIENCE = 60_000  # ms, for machines that have more to do
# imported by Python itself before anything else: what the server asks of other machines is written down
WATCH = """
import os, socket
def watched(self, address, connect=socket.socket.connect):
    if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith("127."):
        with open(os.environ["OUTSIDE"], "a") as file:
            file.write(f"{address}\\n")
    return connect(self, address)
def asked(host, *rest, whole=socket.getaddrinfo, **named):
    if host not in (None, "localhost") and not str(host).startswith(("127.", "::1")):
        with open(os.environ["OUTSIDE"], "a") as file:
            file.write(f"{host}\\n")
    return whole(host, *rest, **named)
socket.socket.connect, socket.getaddrinfo = watched, asked
"""


class Served:
    """The command, running."""

    def __init__(self, folder, arguments):
        (folder / "watch").mkdir()
        (folder / "watch" / "sitecustomize.py").write_text(WATCH)
        (folder / "tmp").mkdir()
        self.outside, self.folder = folder / "outside.txt", folder / "tmp"
        self.log = open(folder / "log.txt", "w+")
        path = os.pathsep.join([str(folder / "watch"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {
            "OUTSIDE": str(self.outside),
            "TMPDIR": str(self.folder),
            "PYTHONPATH": path,
        }
        code = "import sys; from procrop.apis.cli import main; sys.exit(main())"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "demo", "--port", "0", "--device", "cpu", *arguments],
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=environment,
            text=True,
        )
        told = re.search(r"http://127\.0\.0\.1:\d+", self.process.stdout.readline())
        assert told, self.said()
        self.url = told[0]

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def served(tmp_path_factory, demo_model, gallery, second_gallery):
    galleries = ["--gallery", f"first={gallery.folder}", "--gallery", f"second={second_gallery}"]
    arguments = [
        "--checkpoint",
        str(demo_model),
        *galleries,
        "--k",
        "4",
        "--max-upload-mb",
        "1",
        "--max-photos",
        "4",
    ]
    served = Served(tmp_path_factory.mktemp("served"), arguments)
    yield served
    if served.process.poll() is None:
        served.process.kill()
    served.log.close()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, served):
    """Opens the page as another visitor; afterwards, that nothing went to the outside and nothing went wrong."""
    contexts, requests, errors = [], [], []

    def open_page(**options):
        contexts.append(browser.new_context(viewport=dict(width=1280, height=900), **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(served.url)
        page.get_by_label("Photos to crop").wait_for(state="attached")
        page.locator("#pc-panel .pc-empty").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    local = (served.url, "data:", "blob:")
    assert [url for url in requests if not url.startswith(local)] == [] and errors == []
    assert requests


def shown_size(page, rank=0):
    script = "image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])"
    return tuple(page.locator(f".pc-crop[data-rank='{rank}']").evaluate(script))


def wait_for_answer(page, number):
    """Wait for the crops of an answer, as its links count them."""
    page.locator(f"a[href*='/p1/{number}/0']").wait_for()


def reference_names(page):
    return page.locator(".pc-ref:not(.pc-out)").evaluate_all("cards => cards.map(card => card.dataset.name)")


def download(page, label, folder):
    with page.expect_download() as waiting:
        page.get_by_role("link", name=label).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_from_a_photo_to_its_crops_and_files(visit, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "Ada"
    photo = write_photo(tmp_path / "harbour.jpg", size=(400, 300), exif=exif, quality=92)
    page = visit()
    page.get_by_label("Photos to crop").set_input_files(photo)
    wait_for_answer(page, 1)
    page.get_by_role("heading", name="harbour.jpg 300 × 400").wait_for()
    assert page.locator(".pc-crop").count() == 3
    page.get_by_label("4:5", exact=True).check()
    wait_for_answer(page, 2)
    width, height = shown_size(page)
    assert width == round(height * 4 / 5) or height == round(width * 5 / 4)
    before = reference_names(page)
    assert len(before) == 4
    page.get_by_role("button", name=f"Pin {before[3]}").click()
    wait_for_answer(page, 3)
    assert reference_names(page)[0] == before[3]
    assert page.evaluate("document.activeElement.dataset.key") == f"pin {before[3]}"  # the card has moved
    page.get_by_role("button", name=f"Ban {before[0]}").click()
    wait_for_answer(page, 4)
    after = reference_names(page)
    assert before[0] not in after and after[0] == before[3] and len(after) == 4
    page.get_by_role("button", name=f"Allow again {before[0]}").click()
    wait_for_answer(page, 5)
    page.get_by_role("button", name=f"Unpin {before[3]}").click()
    wait_for_answer(page, 6)
    assert reference_names(page) == before
    written = Image.open(download(page, "Download crop 1 of harbour.jpg", tmp_path))
    assert written.format == "JPEG" and written.size == shown_size(page)
    assert written.filename.endswith("harbour_1.jpg") and written.getexif()[0x013B] == "Ada"
    with zipfile.ZipFile(download(page, "Download all crops of 1 photo (ZIP)", tmp_path)) as archive:
        names = [f"harbour_{rank}.jpg" for rank in (1, 2, 3)]
        assert archive.namelist() == [*names, "crops.jsonl"] and archive.testzip() is None


def test_broken_and_large_photos_say_why_beside_a_dropped_good_one(visit, tmp_path):
    good = write_photo(tmp_path / "good.png", 3)
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:500])
    (tmp_path / "large.png").write_bytes(good.read_bytes() + bytes(2**20))
    page = visit()
    page.get_by_label("Photos to crop").set_input_files([tmp_path / "cut.png", tmp_path / "large.png"])
    page.get_by_text("is larger than the limit of 1 MB").wait_for()
    assert "truncated or damaged" in page.locator(".pc-broken").first.text_content()
    drop = """bytes => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], 'good.png', {type: 'image/png'}));
      document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
    }"""
    page.evaluate(drop, list(good.read_bytes()))
    page.get_by_role("heading", name="good.png 320 × 240").wait_for()
    assert page.locator(".pc-broken").count() == 2
    page.get_by_role("button", name="Remove cut.png").click()
    page.locator(".pc-broken").nth(1).wait_for(state="detached")
    other = visit()  # somebody else sees nothing of it
    assert other.locator(".pc-strip").count() == 0


def test_own_ratio_gallery_and_number_on_a_narrow_dark_screen(visit, tmp_path):
    page = visit(color_scheme="dark")
    page.set_viewport_size(dict(width=360, height=740))
    page.get_by_label("Photos to crop").set_input_files(write_photo(tmp_path / "a.png", 5))
    wait_for_answer(page, 1)
    page.get_by_label("own", exact=True).check()
    field = page.get_by_label("Own ratio, then Enter")
    field.fill("2.35")
    field.press("Enter")
    wait_for_answer(page, 2)
    width, height = shown_size(page)
    assert width == round(height * 2.35) or height == round(width / 2.35)
    field.fill("0:1")
    field.press("Enter")
    page.get_by_role("alert").get_by_text("must be above 0").wait_for()
    assert shown_size(page) == (width, height)
    field.fill("2.35")
    page.get_by_label("Gallery of references").click()
    page.get_by_role("option", name="second").click()
    wait_for_answer(page, 3)
    assert set(reference_names(page)) <= {f"p{number}.png" for number in range(12, 20)}
    page.get_by_label("number input for Crops per photo").fill("1")
    wait_for_answer(page, 4)
    assert page.locator(".pc-crop").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    ground, text = page.locator(".pc-title").first.evaluate(
        "e => [getComputedStyle(document.body).backgroundColor, getComputedStyle(e).color]"
    )
    assert (
        max(map(int, re.findall(r"\d+", ground)[:3])) < 60 < 180 < min(map(int, re.findall(r"\d+", text)[:3]))
    )


def test_the_end_leaves_nothing_behind_and_nobody_else_was_asked(served):
    assert list(served.folder.glob("procrop-demo-*")), served.said()
    assert served.end() == 0
    assert list(served.folder.glob("procrop-demo-*")) == []
    assert not served.outside.exists(), served.outside.read_text()
    assert "Traceback" not in served.said()

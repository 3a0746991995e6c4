"""Files over HTTP, by the secret of a session alone; and the page's own doors."""

import json
import socket
import time
import zipfile
from io import BytesIO
from types import SimpleNamespace

import pytest
from demo_parts import write_photo
from PIL import Image
from tiny_cropper import write_checkpoint

pytest.importorskip("gradio", reason="the page needs gradio, which is not installed")
from fastapi.testclient import TestClient  # noqa: E402

from procrop.demo import DemoLimits, SessionStore, SharedCropper  # noqa: E402
from procrop.demo.server import build_app, open_socket  # noqa: E402
from procrop.inference import CropInferencer  # noqa: E402


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = write_checkpoint(tmp_path_factory.mktemp("model"))
    limits = DemoLimits(upload_mb=1, photos=2)
    store = SessionStore(SharedCropper(CropInferencer(path, device="cpu"), limits=limits))
    yield store
    store.close()


@pytest.fixture(scope="module")
def app(store):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):  # what is set is set back
            patch.setenv(name, "")
        yield build_app(store)


@pytest.fixture(scope="module")
def client(app):
    return TestClient(app)  # without its life: the store is used further


@pytest.fixture
def session(store, tmp_path):
    session = store.session("visitor")
    for photo in list(session.photos):
        session.remove(photo)
    session.add(write_photo(tmp_path / "a.png"), "Öl & Wasser.png")
    return session


def test_a_crop_is_sent_once_more_for_every_asking_and_leaves_nothing_behind(client, session):
    photo = session.photos[session.chosen]
    address = f"/crops/{session.token}/{photo.id}/{photo.number}/1"
    answer, again = client.get(address), client.get(address)
    x1, y1, x2, y2 = session.view().boxes[1].round()
    assert answer.status_code == 200 and answer.content == again.content
    assert Image.open(BytesIO(answer.content)).size == (x2 - x1, y2 - y1)
    assert (
        answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%96l%20%26%20Wasser_2.png"
    )
    assert answer.headers["cache-control"] == "no-store"
    archive = client.get(f"/crops/{session.token}/all.zip")
    assert len(zipfile.ZipFile(BytesIO(archive.content)).namelist()) == 4
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and len(list(session.folder.iterdir())) > 1:
        time.sleep(0.01)
    assert [path.name for path in session.folder.iterdir()] == [photo.id]


def test_nothing_is_sent_without_the_secret_or_after_a_change(client, session, store):
    photo = session.photos[session.chosen]
    other = store.session("other")
    assert client.get(f"/crops/{other.token}/{photo.id}/{photo.number}/0").status_code == 410
    assert client.get(f"/crops/{other.token}/all.zip").status_code == 410
    assert client.get(f"/crops/visitor/{photo.id}/{photo.number}/0").status_code == 404
    assert client.get("/crops/visitor/all.zip").status_code == 404
    gone = client.get(f"/crops/{session.token}/{photo.id}/{photo.number + 1}/0")
    assert gone.status_code == 410 and "the crops have changed" in gone.text
    assert client.get(f"/crops/{session.token}/{photo.id}/{photo.number}/x").status_code == 422
    photo.path.write_bytes(b"no photo")
    lost = client.get(f"/crops/{session.token}/{photo.id}/{photo.number}/0")
    assert lost.status_code == 422 and "no image of a known format" in lost.text
    assert str(store.root) not in lost.text + gone.text


def test_the_page_asks_nobody_and_shows_no_programming_interface(client, app):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    config = client.get("/config").json()
    assert config["analytics_enabled"] is False and config["max_file_size"] == 2**20
    assert not config.get("share_url") and config.get("footer_links", []) == []
    assert "googleapis" not in page.text + client.get("/theme.css").text
    assert client.get("/gradio_api/info").json()["named_endpoints"] == {}


def test_uploads_are_bounded_and_only_they_can_be_taken_in(client, app, store, tmp_path):
    from procrop.demo.page import _Visits

    sent = client.post("/gradio_api/upload", files={"files": ("a.png", b"x" * 1000)})
    (path,) = sent.json()
    large = client.post("/gradio_api/upload", files={"files": ("b.png", b"x" * (2**20 + 1))})
    assert large.status_code == 413
    visits, secret = _Visits(store), write_photo(tmp_path / "secret.png")
    assert str(visits._uploaded(path)) == path and path.startswith(str(store.uploads))
    link = store.uploads / "link.png"
    link.symlink_to(secret)
    for outside in (
        str(secret),
        f"{store.uploads}/../session/p1",
        "",
        None,
        7,
        "\0",
        str(link),
        str(store.uploads),
    ):
        assert visits._uploaded(outside) is None
    request = SimpleNamespace(session_hash="thief")
    event = SimpleNamespace(
        _data={"files": [dict(name="a.png", path=str(secret)), dict(name="b.png", path=path)]}
    )
    list(visits.upload("free", None, None, 3, event, request))
    reasons = [photo.rejected for photo in store.session("thief").photos.values()]
    assert reasons == ["the upload failed", "the file holds no image of a known format"]


def test_what_controls_send_is_asked_for(app, store, session):
    from procrop.demo.page import _Visits

    visits, request = _Visits(store), SimpleNamespace(session_hash="visitor")
    visits.change("1:1", None, None, 2, request)
    assert (session.options.ratio, session.options.top_k) == ("1:1", 2)
    shown, _ = visits.change_ratio("own", "", None, 2, request)
    assert shown["visible"] is True and session.options.ratio == "1:1"  # nothing is written yet
    visits.change("own", " 5:4 ", None, None, request)
    assert (session.options.ratio, session.options.top_k) == ("5:4", 2)
    assert "is no aspect ratio" in visits.change("own", "wide", None, 2, request)
    visits.act("free", "", None, 2, SimpleNamespace(_data={"act": "close", "value": "x"}), request)
    assert not session.closed and session.options.ratio is None
    visits.act(
        "free", "", None, 2, SimpleNamespace(_data={"act": "remove", "value": session.chosen}), request
    )
    assert session.photos == {}


def test_a_port_in_use_is_told_before_anything_is_loaded():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ValueError, match=f"127.0.0.1:{port} cannot be listened on .*choose another --port"
        ):
            open_socket("127.0.0.1", port)
    with pytest.raises(ValueError, match="cannot be listened on"):
        open_socket("127.0.0.1", 70000)


def test_the_life_of_the_app_is_that_of_its_files(tmp_path, monkeypatch):
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    store = SessionStore(SharedCropper(CropInferencer(write_checkpoint(tmp_path), device="cpu")))
    with TestClient(build_app(store)) as client:
        assert json.loads(client.get("/config").text)["title"] == "ProCrop" and store.root.is_dir()
    assert not store.root.exists()

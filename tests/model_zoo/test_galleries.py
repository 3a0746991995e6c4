"""Galleries of models: folders, archives in a place or on a server, and which gallery belongs to a checkpoint."""

import io
import zipfile

import pytest
from file_server import model_entry, serving, sha256, write_metafile

from procrop.io.manifest import write_manifest
from procrop.model_zoo import (
    DownloadError,
    ModelZooError,
    locations,
    read_zoo,
    resolve_checkpoint,
    resolve_gallery,
    resolve_model,
)

DATA = b"weights"


@pytest.fixture
def folder(tmp_path):
    """A folder with photos and, in index/, what a gallery's manifest lists."""
    index = tmp_path / "tiny-gallery" / "index"
    index.mkdir(parents=True)
    (index / "keys.bin").write_bytes(b"keys")
    (index.parent / "photos").mkdir()
    (index.parent / "photos" / "a.jpg").write_bytes(b"photo")
    write_manifest(index, kind="gallery", version=1, fingerprint="f", files=["keys.bin"])
    return index.parent


def zipped(folder, *extra):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
        for name in extra:
            archive.writestr(name, "x")
    return buffer.getvalue()


def gallery_entry(location, digest, size=9):
    return {
        "Location": location,
        "SHA-256": digest,
        "Size": size,
        "License": "CC0-1.0",
        "Source": "drawn photos",
        "Photos": 1,
        "Folder": "index",
    }


def write_model(folder, gallery):
    (folder / "tiny.pth").write_bytes(DATA)
    return write_metafile(folder / "own.yml", model_entry("tiny.pth", DATA, Gallery=gallery))


def test_files_beside_a_metafile_are_used_where_they_are(tmp_path, folder, cache, monkeypatch):
    manifest = (folder / "index" / "manifest.json").read_bytes()
    own = write_model(tmp_path, gallery_entry("tiny-gallery", sha256(manifest)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROCROP_METAFILE", "own.yml")
    weights, gallery = resolve_model("tiny")
    assert weights == own.parent / "tiny.pth" and gallery == folder / "index"
    assert resolve_gallery("tiny") == gallery and not cache.exists()


def test_files_of_the_package_are_used_where_they_are(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(locations, "PACKAGE_ROOT", tmp_path)
    (tmp_path / "tiny.pth").write_bytes(DATA)
    manifest = (folder / "index" / "manifest.json").read_bytes()
    gallery = gallery_entry("package:tiny-gallery", sha256(manifest))
    path = write_metafile(
        tmp_path / "else" / "own.yml", model_entry("package:tiny.pth", DATA, Gallery=gallery)
    )
    zoo = read_zoo(path)
    assert resolve_checkpoint("tiny", zoo=zoo) == tmp_path / "tiny.pth"
    assert resolve_gallery("tiny", zoo=zoo) == folder / "index"


def test_local_files_that_changed_are_refused_and_left(tmp_path, folder):
    zoo = read_zoo(write_model(tmp_path, gallery_entry("tiny-gallery", "0" * 64)))
    with pytest.raises(
        ModelZooError, match=r"manifest.json: its SHA-256 is .{64}, but .*own.yml says 0{64}; .*built"
    ):
        resolve_gallery("tiny", zoo=zoo)
    (tmp_path / "tiny.pth").write_bytes(b"changed")
    with pytest.raises(
        ModelZooError, match=f"tiny.pth: its SHA-256 is {sha256(b'changed')}, .* says {sha256(DATA)}"
    ):
        resolve_checkpoint("tiny", zoo=zoo)
    assert (tmp_path / "tiny.pth").read_bytes() == b"changed"
    (tmp_path / "tiny.pth").unlink()
    with pytest.raises(ModelZooError, match="tiny.pth: not found, though"):
        resolve_checkpoint("tiny", zoo=zoo)


def test_an_archive_is_fetched_unpacked_and_removed(tmp_path, folder, cache):
    data = zipped(folder)
    with serving({"/tiny-gallery.zip": data}) as server:
        server.cuts = [len(data) // 2]
        entry = gallery_entry(f"{server.url}/tiny-gallery.zip", sha256(data), len(data))
        zoo = read_zoo(write_model(tmp_path, entry))
        with pytest.raises(ModelZooError, match="gallery of tiny is not on this machine"):
            resolve_gallery("tiny", False, zoo)
        gallery = resolve_gallery("tiny", zoo=zoo)
        assert gallery == cache / "models" / "tiny" / "tiny-gallery" / "index"
        assert (gallery / "keys.bin").read_bytes() == b"keys"
        assert (gallery.parent / "photos" / "a.jpg").read_bytes() == b"photo"
        assert [path.name for path in (cache / "models" / "tiny").iterdir()] == ["tiny-gallery"]
        assert resolve_gallery("tiny", False, zoo) == gallery and len(server.asked) == 2
        newer = zipped(folder, "index/more.bin")
        server.files["/tiny-gallery.zip"] = newer
        entry |= {"SHA-256": sha256(newer), "Size": len(newer)}
        newer_zoo = read_zoo(write_model(tmp_path, entry))
        assert (resolve_gallery("tiny", zoo=newer_zoo) / "more.bin").is_file()


def test_an_archive_beside_the_metafile_is_unpacked_into_the_cache(tmp_path, folder, cache):
    data = zipped(folder)
    (tmp_path / "tiny.zip").write_bytes(data)
    zoo = read_zoo(write_model(tmp_path, gallery_entry("tiny.zip", sha256(data), len(data))))
    assert resolve_gallery("tiny", False, zoo) == cache / "models" / "tiny" / "tiny" / "index"
    assert (tmp_path / "tiny.zip").read_bytes() == data


@pytest.mark.parametrize("name", ["../evil", "/evil", "index/../../evil", "a\\..\\evil"])
def test_an_archive_that_leaves_its_folder_is_refused(tmp_path, folder, cache, name):
    data = zipped(folder, name)
    (tmp_path / "tiny.zip").write_bytes(data)
    zoo = read_zoo(write_model(tmp_path, gallery_entry("tiny.zip", sha256(data), len(data))))
    with pytest.raises(DownloadError, match="outside of"):
        resolve_gallery("tiny", zoo=zoo)
    assert list((cache / "models" / "tiny").iterdir()) == [] and not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    ("data", "message"), [(b"no zip", "no zip archive"), (None, "has no index/manifest.json")]
)
def test_an_archive_that_holds_no_gallery_is_refused(tmp_path, folder, cache, data, message):
    data = data or zipped(folder / "photos")
    (tmp_path / "tiny.zip").write_bytes(data)
    zoo = read_zoo(write_model(tmp_path, gallery_entry("tiny.zip", sha256(data), len(data))))
    with pytest.raises(DownloadError, match=message):
        resolve_gallery("tiny", zoo=zoo)
    assert list((cache / "models" / "tiny").iterdir()) == []


def test_paths_come_before_names(tmp_path, folder, monkeypatch):
    own = write_model(tmp_path, gallery_entry("tiny-gallery", "0" * 64))
    monkeypatch.setenv("PROCROP_METAFILE", str(own))
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine.pth"
    mine.write_bytes(b"mine")
    assert resolve_model(mine) == (mine, None)
    assert resolve_model("tiny.pth", folder) == (tmp_path.joinpath("tiny.pth").relative_to(tmp_path), folder)
    assert resolve_model(mine, folder)[1] == folder
    with pytest.raises(ModelZooError, match="there is no such checkpoint"):
        resolve_checkpoint("nowhere/model.pth")
    with pytest.raises(ModelZooError, match="there is no such gallery"):
        resolve_gallery("nowhere/gallery")


def test_a_model_without_references_has_no_gallery(tmp_path, monkeypatch):
    (tmp_path / "tiny.pth").write_bytes(DATA)
    own = write_metafile(tmp_path / "own.yml", model_entry("tiny.pth", DATA))
    monkeypatch.setenv("PROCROP_METAFILE", str(own))
    assert resolve_model("tiny") == (tmp_path / "tiny.pth", None)
    with pytest.raises(ModelZooError, match="tiny has no gallery"):
        resolve_gallery("tiny")

"""A manifest notices every change of the files it lists."""

import hashlib
import json

import pytest

from procrop.io.manifest import (
    ManifestError,
    read_manifest,
    sha256_file,
    sha256_json,
    verify_manifest,
    write_manifest,
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 5000)
    (tmp_path / "sub" / "b.txt").write_text("b")
    write_manifest(
        tmp_path, kind="gallery", version=3, fingerprint="f0", files=["sub/b.txt", "a.bin"], extra={"n": 2}
    )
    return tmp_path


def test_hashes_against_hashlib(folder):
    expected = hashlib.sha256(bytes(range(256)) * 5000).hexdigest()
    assert sha256_file(folder / "a.bin") == expected
    manifest = read_manifest(folder, "gallery", 3)
    assert manifest["files"]["a.bin"] == {"bytes": 1_280_000, "sha256": expected}
    assert manifest["extra"] == {"n": 2} and manifest["fingerprint"] == "f0"
    assert verify_manifest(folder) == []


def test_canonical_json_hash():
    assert sha256_json({"b": 1, "a": (2, "ü")}) == hashlib.sha256(b'{"a":[2,"\\u00fc"],"b":1}').hexdigest()
    with pytest.raises(ValueError, match="JSON|float"):
        sha256_json([float("inf")])


def test_manifest_is_the_same_every_time(folder, tmp_path):
    before = (folder / "manifest.json").read_bytes()
    write_manifest(
        tmp_path, kind="gallery", version=3, fingerprint="f0", files=["a.bin", "sub/b.txt"], extra={"n": 2}
    )
    assert (folder / "manifest.json").read_bytes() == before


def test_a_flipped_byte_is_found(folder):
    data = bytearray((folder / "a.bin").read_bytes())
    data[777_777] ^= 1
    (folder / "a.bin").write_bytes(data)
    (problem,) = verify_manifest(folder)
    assert "a.bin" in problem and "SHA-256" in problem


def test_missing_and_cut_files_are_found(folder):
    (folder / "sub" / "b.txt").unlink()
    (folder / "a.bin").write_bytes(b"x")
    problems = verify_manifest(folder)
    assert len(problems) == 2
    assert "a.bin: 1 bytes" in problems[0] and "b.txt: missing" in problems[1]


@pytest.mark.parametrize(
    ("kind", "version", "message"),
    [("table", 3, "describes a 'gallery'"), ("gallery", 4, "older than version 4"), ("gallery", 2, "newer")],
)
def test_another_kind_or_version_is_refused(folder, kind, version, message):
    with pytest.raises(ManifestError, match=message):
        read_manifest(folder, kind, version)


def test_a_changed_manifest_is_refused(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"n": 2', '"n": 3'))
    with pytest.raises(ManifestError, match="manifest.json: its bytes have changed"):
        read_manifest(folder, "gallery", 3)


def test_a_manifest_of_another_name(folder):
    (folder / "manifest.json").rename(folder / "before.json")
    assert read_manifest(folder, "gallery", 3, "before.json")["extra"] == {"n": 2}
    with pytest.raises(ManifestError, match="manifest.json: not found"):
        read_manifest(folder, "gallery", 3)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "gallery"}', "\udcff"])
def test_a_damaged_manifest_is_refused(folder, text):
    (folder / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ManifestError, match="manifest.json"):
        read_manifest(folder, "gallery", 3)
    with pytest.raises(ManifestError, match="manifest.json"):
        verify_manifest(folder)


def test_absent(tmp_path):
    with pytest.raises(ManifestError, match="never built"):
        read_manifest(tmp_path / "nowhere", "gallery", 1)


def test_no_timestamps(folder):
    assert set(json.loads((folder / "manifest.json").read_text())) == {
        "kind",
        "version",
        "fingerprint",
        "files",
        "extra",
        "sha256",
    }
